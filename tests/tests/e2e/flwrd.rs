//! `flwrd`, and programs of ours and of pip's flwr on one PATH.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::leftovers;
use e2e::{App, Maker, Outcome, Release, Scratch, ports};

const OURS: Maker = Maker::Ours;
/// The folders of an installation, each with its programs.
const GROUPS: [(&str, &[&str]); 3] = [
    ("flwr", &["flwr"]),
    ("superlink", &["flower-superlink", "flower-server-app"]),
    ("supernode", &["flower-supernode", "flower-client-app"]),
];

/// An installation of ours in a prefix, as a wheel leaves it, with pip's flwr in the same `bin`.
struct Installed {
    scratch: Scratch,
    prefix: PathBuf,
}

impl Installed {
    fn new() -> Self {
        let scratch = Scratch::new();
        let prefix = scratch.folder("my venv").canonicalize().unwrap();
        for (group, programs) in GROUPS {
            let folder = prefix.join("libexec/flower-daemons").join(group);
            fs::create_dir_all(&folder).unwrap();
            for name in programs {
                symlink(OURS.program(name), folder.join(name)).unwrap();
            }
        }
        let bin = prefix.join("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy(OURS.program("flwrd"), bin.join("flwrd")).unwrap();
        for name in ["flwr", "flower-superlink", "flower-supernode"] {
            symlink(Release::V1_22.bin().join(name), bin.join(name)).unwrap();
        }
        Self { scratch, prefix }
    }

    fn bin(&self) -> PathBuf {
        self.prefix.join("bin")
    }

    fn ours(&self, group: &str, name: &str) -> PathBuf {
        let libexec = self.prefix.join("libexec/flower-daemons");
        libexec.join(group).join(name)
    }

    /// PATH of an environment that is active.
    fn path(&self) -> OsString {
        let path = env::var_os("PATH").unwrap();
        let folders = std::iter::once(self.bin()).chain(env::split_paths(&path));
        env::join_paths(folders).unwrap()
    }

    /// What the shell of an active environment finds for two names after a line.
    fn found_after(&self, line: &str) -> [PathBuf; 2] {
        let script = format!("{line}\ncommand -v flower-superlink\ncommand -v flwr");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", &script]).env("PATH", self.path());
        let outcome = Outcome::from(shell.output().unwrap()).success();
        let mut lines = outcome.text.lines().map(PathBuf::from);
        [lines.next().unwrap(), lines.next().unwrap()]
    }

    fn flwrd(&self, arguments: &[&str]) -> Outcome {
        types(&self.bin().join("flwrd"), arguments)
    }
}

fn types(program: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(program);
    command.args(arguments).output().unwrap().into()
}

#[test]
fn a_shell_finds_the_chosen_programs_first_and_pips_after_undo() {
    let installed = Installed::new();
    let ours = [
        installed.ours("superlink", "flower-superlink"),
        installed.ours("flwr", "flwr"),
    ];
    let pips = ["flower-superlink", "flwr"].map(|name| installed.bin().join(name));
    let found = |line: &str| installed.found_after(line);
    let all = "eval \"$(flwrd env)\"";
    assert_eq!(found(":"), pips);
    assert_eq!(found(all), ours);
    let superlink = found("eval \"$(flwrd env --only superlink,supernode)\"");
    assert_eq!(superlink, [ours[0].clone(), pips[1].clone()]);
    assert_eq!(found(&format!("{all}; eval \"$(flwrd env --undo)\"")), pips);
    let flwr = format!("{all}; eval \"$(flwrd env --undo --only flwr)\"");
    assert_eq!(found(&flwr), [ours[0].clone(), pips[1].clone()]);
}

#[test]
fn which_tells_ours_from_pips() {
    let installed = Installed::new();
    let script = "eval \"$(flwrd env --only superlink)\"; flwrd which";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-euc", script]).env("PATH", installed.path());
    let outcome = Outcome::from(shell.output().unwrap()).success();
    let version = env!("CARGO_PKG_VERSION");
    let ours = installed.ours("superlink", "flower-superlink");
    let pips = installed.bin().join("flwr");
    outcome.must_say(&[
        &format!("flower-superlink   ours, {version}: {}", ours.display()),
        "for pip's: eval \"$(flwrd env --only superlink --undo)\"",
        &format!("flwr               pip's, flwr 1.22.0: {}", pips.display()),
        "for ours: eval \"$(flwrd env --only flwr)\"",
    ]);
}

#[test]
fn programs_run_by_name_through_links_and_under_another_name() {
    let installed = Installed::new();
    let direct = types(&OURS.program("flower-superlink"), &["--help"]);
    let (first, second) = (
        installed.scratch.path().join("first"),
        installed.scratch.path().join("flower-superlink"),
    );
    symlink(installed.bin().join("flwrd"), &first).unwrap();
    symlink(&first, &second).unwrap();
    let by_link = types(&second, &["superlink", "--help"]).success();
    assert_eq!(by_link.text, direct.text);
    let renamed = installed.bin().join("other");
    fs::rename(installed.bin().join("flwrd"), &renamed).unwrap();
    let outcome = types(&renamed, &["supernode", "--nonsense"]).failure(2);
    outcome.must_say(&["--nonsense", "flower-supernode"]);
    let _ = types(&renamed, &["flwr", "--", "--version"]).failure(2);
}

#[test]
fn what_cannot_be_run_is_refused_in_one_line() {
    let installed = Installed::new();
    installed
        .flwrd(&["superexec"])
        .failure(2)
        .must_say(&["superexec"]);
    installed
        .flwrd(&["env", "--only", "superexec"])
        .failure(2)
        .must_say(&["superlink"]);
    fs::remove_file(installed.ours("flwr", "flwr")).unwrap();
    let outcome = installed.flwrd(&["flwr", "ls"]).failure(1);
    outcome.must_say(&["flwr is not in", "install the programs again"]);
    let alone = installed.scratch.folder("alone").join("flwrd");
    fs::copy(OURS.program("flwrd"), &alone).unwrap();
    let outcome = types(&alone, &["superlink"]).failure(1);
    outcome.must_say(&["no programs are beside it"]);
    assert_eq!(outcome.text.lines().count(), 1, "{}", outcome.text);
}

/// PATH with ours before pip's flwr of 1.42.
fn ours_before_pips() -> OsString {
    Maker::OursWith(Release::V1_42).path()
}

#[test]
fn pips_flwr_has_its_local_simulation_where_ours_come_first_on_the_path() {
    let scratch = Scratch::new();
    let app = App::copy("mean", &scratch.folder("apps"));
    let home = scratch.folder("home");
    let ports = [ports::free(), ports::free()].map(|port| port.to_string());
    let flwr = |arguments: &[&str]| {
        let mut command = Maker::Pip(Release::V1_42).command("flwr");
        command
            .args(arguments)
            .current_dir(&app.path)
            .env("PATH", ours_before_pips())
            .env("FLWR_HOME", &home)
            .env("FLWR_LOCAL_CONTROL_API_PORT", &ports[0])
            .env("FLWR_LOCAL_SUPERLINK_HTTP_API_PORT", &ports[1]);
        Outcome::from(command.output().unwrap())
    };
    flwr(&["run", "."])
        .success()
        .must_say(&["Starting local SuperLink", "Successfully started run"]);
    flwr(&["list", "--format", "json"])
        .success()
        .must_say(&["tests/mean"]);
    let running = leftovers::of(scratch.path());
    let script = Release::V1_42.bin().join("flower-superlink");
    let is_pips = |command: &str| command.contains(script.to_str().unwrap());
    assert!(
        running.iter().any(|process| is_pips(&process.command)),
        "{running:?}"
    );
}

#[test]
fn a_simulation_without_another_superlink_ends_with_the_way_out() {
    let scratch = Scratch::new();
    let ours = OURS.program("flower-superlink");
    let simulate = |path: &OsString| {
        let mut command = Command::new(&ours);
        command
            .args(["--insecure", "--simulation"])
            .env("PATH", path)
            .env("FLWR_HOME", scratch.path());
        Outcome::from(command.output().unwrap())
    };
    // A copy of ours under PATH is no other SuperLink, nor is a wrapper of ours.
    let copies = scratch.folder("copies");
    symlink(&ours, copies.join("flower-superlink")).unwrap();
    let wrappers = scratch.folder("wrappers");
    let wrapper = wrappers.join("flower-superlink");
    fs::write(
        &wrapper,
        format!("#!/bin/sh\nexec {} \"$@\"\n", ours.display()),
    )
    .unwrap();
    executable(&wrapper);
    let gone = scratch.path().join("gone");
    let path = env::join_paths([&gone, &copies, &wrappers, Path::new("/bin")]).unwrap();
    let outcome = simulate(&path).failure(1);
    outcome.must_say(&[
        "does not simulate",
        "pip install \"flwr[simulation]\"",
        "flwr up",
    ]);
    assert_eq!(outcome.text.lines().count(), 1, "{}", outcome.text);
    // A wrapper that does not tell its version leads back to ours once, not for ever.
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || exec {} \"$@\"\n",
        ours.display()
    );
    fs::write(&wrapper, text).unwrap();
    let outcome = simulate(&path).failure(1);
    outcome.must_say(&[
        wrapper.to_str().unwrap(),
        "has no flower-superlink of pip's",
    ]);
    assert_eq!(outcome.text.lines().count(), 2, "{}", outcome.text);
}

fn executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
