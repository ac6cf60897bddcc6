//! States of earlier versions that cannot be brought up to date: the disk is full, or the file is cut off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::launcher::Launcher;
use e2e::{Maker, Outcome, Release, Scratch};

const OURS: Maker = Maker::Ours;

/// Makes the state of a program of schema version 5, as that program left it.
fn state_of_version_5(file: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let dump = "crates/flower-superlink/testdata/states/version_05/state.sql";
    let script =
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())";
    let mut python = Command::new(Release::V1_22.bin().join("python"));
    python.args(["-c", script]).arg(file).arg(root.join(dump));
    let _ = Outcome::from(python.output().unwrap()).success();
}

fn repair(database: &Path) -> Command {
    let mut command = OURS.command("flower-superlink");
    command.args(["--check-state", "--repair", "--database"]);
    command.arg(database);
    command
}

/// The files of a folder whose names begin with that of the state.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// A file system of 1 MB.
const SMALL: &str = r#"
disk=$(dirname "$FLWR_HOME")/disk
mkdir "$disk"
mount -t tmpfs -o size=1m tmpfs "$disk"
"#;
/// Repairs a state without space, and again with space.
const FILLS: &str = r#"
set -e
cp "$STATE" "$DISK/state.db"
head -c 10000000 /dev/zero > "$DISK/filler" 2> /dev/null || true
# The lock and SQLite's own files have space, and a copy of 100 KB has not.
truncate -s -60K "$DISK/filler"
status=0
"$@" || status=$?
echo "status $status"
cmp "$STATE" "$DISK/state.db"
test -z "$(find "$DISK" -name 'state.db.before-*')"
rm "$DISK/filler"
"$@"
find "$DISK" -name 'state.db.before-*' | sed 's/.*\//kept /'
"#;

#[test]
fn without_space_for_its_copy_an_earlier_state_stays_as_it_was() {
    let Some(launcher) = Launcher::with_mounts(SMALL) else {
        return;
    };
    let scratch = Scratch::new();
    let state = scratch.path().join("state.db");
    state_of_version_5(&state);
    let disk = scratch.folder("full").join("disk");
    let repair = repair(&disk.join("state.db"));
    let mut script = Command::new("sh");
    script.args(["-c", FILLS, "sh"]).arg(repair.get_program());
    script.args(repair.get_args());
    script.envs([("STATE", &state), ("DISK", &disk)]);
    script.env("FLWR_HOME", scratch.folder("full/home"));
    let outcome = Outcome::from(launcher.of(&script).output().unwrap()).success();
    outcome.must_say(&[
        "state.db.before-",
        "could not be written: nothing is changed; make space for the copy, and start again",
        "status 1",
        "kept state.db.before-",
    ]);
    assert_eq!(outcome.text.matches("error: ").count(), 1, "{outcome:?}");
}

#[test]
fn a_state_that_is_cut_off_is_refused_in_one_line_and_left_alone() {
    let scratch = Scratch::new();
    let state = scratch.path().join("state.db");
    state_of_version_5(&state);
    let whole = fs::read(&state).unwrap();
    let cut = &whole[..whole.len() / 2];
    fs::write(&state, cut).unwrap();
    let outcome = Outcome::from(repair(&state).output().unwrap()).failure(1);
    outcome.must_say(&[
        "state.db",
        "is damaged",
        "it is left untouched",
        "restore it from a backup",
    ]);
    assert_eq!(outcome.text.trim().lines().count(), 1, "{}", outcome.text);
    assert_eq!(fs::read(&state).unwrap(), cut);
    let others = files(scratch.path());
    let copies = others
        .iter()
        .filter(|file| file.display().to_string().contains("before-"));
    assert_eq!(copies.count(), 0, "{others:?}");
}
