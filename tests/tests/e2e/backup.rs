//! `flower-superlink --backup` and `--restore`, with a federation that works meanwhile and goes on
//! afterwards.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use e2e::launcher::Launcher;
use e2e::{App, Document, Federation, Maker, PATIENCE, Security};

use crate::faults::{pid_in, the_next_run_works};

const OURS: Maker = Maker::Ours;

/// A federation whose ClientApp is at work until a file is there.
struct Working {
    federation: Federation,
    app: App,
    go: PathBuf,
    run: u64,
}

impl Working {
    fn start() -> Self {
        let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
        let mut federation = plan.supernode_flags(&["--drain", "1"]).start();
        let app = federation.app("trouble");
        let go = federation.scratch().path().join("go");
        let config = format!("client=\"wait\" file=\"{}\"", go.display());
        let run = federation.flwr(OURS).start(&app, &config);
        let _ = pid_in(federation.node(0), "clientapp");
        Self {
            federation,
            app,
            go,
            run,
        }
    }

    fn home(&self) -> PathBuf {
        self.federation
            .scratch()
            .path()
            .join("home-superlink/superlink")
    }

    fn database(&self) -> PathBuf {
        self.home().join("state.db")
    }

    fn folder(&self) -> PathBuf {
        self.federation.scratch().path().join("backup")
    }
}

/// `flower-superlink` with the state in this database.
fn superlink(database: &Path, flags: &[&str]) -> Command {
    let mut command = OURS.command("flower-superlink");
    command.args(flags).arg("--database").arg(database);
    command
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{command:?}: {text}");
    text
}

/// Restores the folder to an empty place, and looks whether everything is whole there.
#[track_caller]
fn restores(folder: &Path, database: &Path) {
    let restore = ["--restore", folder.to_str().unwrap()];
    succeeds(superlink(database, &restore));
    let checked = succeeds(superlink(database, &["--check"]));
    assert!(
        checked.contains("everything is there and whole"),
        "{checked}"
    );
}

#[test]
fn a_federation_goes_on_from_a_backup_that_was_made_while_it_worked() {
    let mut working = Working::start();
    let (database, folder) = (working.database(), working.folder());
    let backup = ["--backup", folder.to_str().unwrap()];
    let said = succeeds(superlink(&database, &backup));
    assert!(
        said.contains("1 runs") && said.contains(" linked"),
        "{said}"
    );
    assert!(
        said.contains("keys, certificates and lists are not in a backup"),
        "{said}"
    );
    // The machine of the SuperLink loses its state.
    working.federation.superlink().kill();
    fs::rename(
        working.home(),
        working.federation.scratch().path().join("lost"),
    )
    .unwrap();
    restores(&folder, &database);
    working.federation.restart_superlink();
    fs::write(&working.go, "").unwrap();
    let flwr = working.federation.flwr(OURS);
    flwr.wait_for_status(&working.app, working.run, "finished:completed");
    flwr.log(&working.app, working.run)
        .success()
        .must_say(&["reply: 42", "finished"]);
    the_next_run_works(flwr, &working.app);
    working.federation.stop();
}

/// Kills a backup at a moment that differs from kill to kill: when the folder has so many files more.
fn kill_a_backup(database: &Path, folder: &Path, files: usize) {
    let before = count(folder);
    let mut command = superlink(database, &["--backup", folder.to_str().unwrap()]);
    let mut backup = command.stdout(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + PATIENCE;
    while backup.try_wait().unwrap().is_none() && count(folder) < before + files {
        assert!(Instant::now() < end, "the backup has no end");
    }
    let _ = backup.kill();
    backup.wait().unwrap();
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let counts = entries.map(|entry| match entry.path() {
        path if path.is_dir() => 1 + count(&path),
        _ => 1,
    });
    counts.sum()
}

#[test]
fn a_backup_that_is_killed_leaves_the_last_one_whole() {
    let working = Working::start();
    let (database, folder) = (working.database(), working.folder());
    let backup = ["--backup", folder.to_str().unwrap()];
    succeeds(superlink(&database, &backup));
    for files in 0..6 {
        kill_a_backup(&database, &folder, files);
        let place = working
            .federation
            .scratch()
            .folder(&format!("restored-{files}"));
        restores(&folder, &place.join("state.db"));
    }
    succeeds(superlink(
        &database,
        &[&backup[..], &["--incremental"]].concat(),
    ));
    fs::write(&working.go, "").unwrap();
    let flwr = working.federation.flwr(OURS);
    flwr.wait_for_status(&working.app, working.run, "finished:completed");
    working.federation.stop();
}

/// Backups on a file system of 2 MB that is full, and a restore to a full one.
const FULL: &str = r#"
disk=$(dirname "$FLWR_HOME")/disk
mkdir "$disk"
mount -t tmpfs -o size=2m tmpfs "$disk"
"#;
const FILLS: &str = r#"
set -e
"$1" --backup "$DISK/backup" --database "$2"
head -c 10000000 /dev/zero > "$DISK/filler" || true
if "$1" --backup "$DISK/backup" --database "$2"; then echo "saved on a full disk"; exit 9; fi
if "$1" --restore "$DISK/backup" --database "$DISK/place/state.db"; then exit 9; fi
test ! -e "$DISK/place/state.db"
rm "$DISK/filler"
"$1" --restore "$DISK/backup" --database "$DISK/place/state.db"
"$1" --check --database "$DISK/place/state.db"
"#;

#[test]
fn a_full_disk_leaves_the_last_backup_whole_and_nothing_in_place() {
    let Some(launcher) = Launcher::with_mounts(FULL) else {
        return;
    };
    let working = Working::start();
    let scratch = working.federation.scratch();
    let mut script = Command::new("sh");
    script
        .args(["-c", FILLS, "sh"])
        .arg(OURS.program("flower-superlink"))
        .arg(working.database())
        .env("FLWR_HOME", scratch.folder("full/home"))
        .env("DISK", scratch.path().join("full/disk"));
    let said = succeeds(launcher.of(&script));
    assert_eq!(said.matches("No space left on device").count(), 2, "{said}");
    assert!(said.contains(" copied"), "another file system: {said}");
    working.federation.stop();
}

/// The page to the letter, with folders of the test in place of `/var`.
#[test]
fn the_page_about_backups_is_played() {
    let working = Working::start();
    let page = Document::read("docs/backup.md");
    let var = working.federation.scratch().folder("var");
    fs::create_dir_all(var.join("lib")).unwrap();
    symlink(working.home(), var.join("lib/flower")).unwrap();
    let types = |line: &str| {
        let line = line.replace("/var/", &format!("{}/", var.display()));
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).env("PATH", OURS.path());
        succeeds(shell)
    };
    let database = "--database /var/lib/flower/state.db\n";
    let first = page.lines(&format!("--backup /var/backups/flower {database}"));
    let later = page.lines("state.db --incremental\n");
    let back = page.lines("--restore");
    for line in first.iter().chain(&later) {
        types(line);
    }
    // The next machine has nothing.
    fs::remove_file(var.join("lib/flower")).unwrap();
    let said: Vec<_> = back.iter().map(|line| types(line)).collect();
    assert!(said[0].starts_with("restored from"), "{said:?}");
    assert!(
        said[1].contains("everything is there and whole"),
        "{said:?}"
    );
    working.federation.stop();
}
