//! Flags of flwr's daemons that ours take.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use e2e::pki::{self, Flaw};
use e2e::{Federation, Maker, PATIENCE, Release, Scratch, Security};

/// The flags of a program in `docs/flags.md`.
fn documented(program: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flags.md");
    let text = fs::read_to_string(path).unwrap();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with(program));
    let rows = section.unwrap().lines();
    let flags = rows.filter_map(|row| row.strip_prefix("| `")?.split_once('`'));
    flags.map(|(flag, _)| flag.to_owned()).collect()
}

#[test]
fn every_flag_of_the_documentation_is_known() {
    // It is refused after all others: no daemon starts.
    const UNKNOWN: &str = "--no-flag-of-any-release";
    for program in ["flower-superlink", "flower-supernode"] {
        let documented = documented(program);
        assert!(documented.len() > 20, "{documented:?}");
        for flag in documented.iter().filter(|flag| *flag != "--version") {
            let asked = Maker::Ours.command(program).args([flag, UNKNOWN]).output();
            let asked = asked.unwrap();
            let said = String::from_utf8_lossy(&asked.stderr);
            assert_eq!(asked.status.code(), Some(2), "{program} {flag}: {said}");
            let unknown = format!("unexpected argument '{flag}'");
            assert!(!said.contains(&unknown), "{program}: {said}");
        }
    }
}

#[test]
fn an_answer_that_nobody_takes_is_no_panic() {
    let scratch = Scratch::new();
    let scratch = scratch.path();
    let superlink = ["--check-config", "--insecure", "--isolation", "process"];
    let state = ["--check-state", "--database", "none.db"];
    let supernode = ["--check-config", "--insecure", "--isolation", "process"];
    for (program, flags, status) in [
        ("flower-superlink", &superlink[..], 0),
        ("flower-superlink", &state, 0),
        // No SuperLink answers.
        ("flower-supernode", &supernode, 1),
    ] {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        for (stdout, is_told) in [(closed.into(), false), (Stdio::from(full), true)] {
            let mut command = Maker::Ours.command(program);
            command.args(flags).current_dir(scratch);
            command.env("FLWR_HOME", scratch.join("home"));
            let output = command.stdout(stdout).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(status), "{program}: {said}");
            let told = "the answer could not be written to stdout";
            assert_eq!(said.contains(told), is_told, "{program}: {said}");
        }
    }
}

#[test]
fn an_address_that_is_given_twice_is_told_before_the_start() {
    let scratch = Scratch::new();
    let address = format!("127.0.0.1:{}", e2e::ports::free());
    let mut command = Maker::Ours.command("flower-superlink");
    command.args(["--check-config", "--insecure", "--isolation", "process"]);
    command.args(["--fleet-api-address", &address, "--control-api-address"]);
    command
        .arg(&address)
        .env("FLWR_HOME", scratch.path().join("home"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let told = format!("{address} is that of --fleet-api-address too");
    assert!(said.contains(&told), "{said}");
    assert!(
        said.contains("another place: --control-api-address"),
        "{said}"
    );
}

#[test]
fn every_flag_of_flwr_has_its_row_in_the_documentation() {
    for program in ["flower-superlink", "flower-supernode"] {
        let documented = documented(program);
        for release in [Release::V1_31, Release::V1_42] {
            let mut command = Maker::Pip(release).command(program);
            // argparse breaks long words.
            let asked = command.arg("--help").env("COLUMNS", "1000").output();
            let help = String::from_utf8(asked.unwrap().stdout).unwrap();
            let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            // The words of a text end with a dot, or stand between backquotes: they are flags too.
            let flags = words.filter(|word| word.len() > 2 && word.starts_with("--"));
            let mut flags: Vec<_> = flags.filter(|flag| *flag != "--help").collect();
            flags.sort_unstable();
            flags.dedup();
            assert!(flags.len() > 10, "{program} {release:?}: {help}");
            for flag in flags {
                let has_row = documented.iter().any(|known| known == flag);
                assert!(has_row, "{program} {release:?}: {flag}");
            }
        }
    }
}

#[test]
fn the_log_stands_in_its_file_too_also_the_reason_of_an_end() {
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let federation = plan.superlink_flags(&["--log-file", "kept.log"]).start();
    let fleet = federation.fleet().to_string();
    let file = federation.scratch().path().join("kept.log");
    // The port is open before the log has its lines.
    let deadline = Instant::now() + PATIENCE;
    let text = loop {
        let text = fs::read_to_string(&file).unwrap();
        if text.contains("listening for Fleet on") {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
        thread::sleep(Duration::from_millis(50));
    };
    assert!(!text.contains('\u{1b}'), "{text}");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let mut second = Maker::Ours.command("flower-superlink");
    second.args([
        "--insecure",
        "--database",
        ":memory:",
        "--isolation",
        "process",
    ]);
    second.args(["--log-file", "second.log", "--fleet-api-address", &fleet]);
    second.current_dir(federation.scratch().path());
    let ended = second.output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let second = federation.scratch().path().join("second.log");
    let text = fs::read_to_string(second).unwrap();
    assert!(text.contains("is already in use"), "{text}");
    federation.stop();
}

/// The programs of an environment that note their arguments in the file `started`, and go on as those of
/// the release.
fn noting(files: &Scratch, release: Release) -> PathBuf {
    let folder = files.folder("environment").join("bin");
    fs::create_dir_all(&folder).unwrap();
    // By the packages there, the daemons know the release.
    let packages = release.bin().with_file_name("lib");
    symlink(packages, folder.with_file_name("lib")).unwrap();
    let noted = files.path().join("started");
    for name in ["flwr-serverapp", "flwr-clientapp"] {
        let program = release.bin().join(name);
        let text = format!(
            "#!/bin/sh\necho \"{name} $*\" >>{}\nexec {} \"$@\"\n",
            noted.display(),
            program.display()
        );
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn app_processes_speak_tls_with_daemons_that_have_a_certificate_for_that() {
    let files = Scratch::new();
    let pki = pki::make(&files.path().join("appio"), Flaw::None);
    let flags = |prefix: &str| {
        [
            format!("--{prefix}ssl-ca-certfile={}", pki.ca.display()),
            format!("--{prefix}ssl-certfile={}", pki.certificate.display()),
            format!("--{prefix}ssl-keyfile={}", pki.key.display()),
        ]
    };
    let (of_superlink, of_supernode) = (flags("appio-"), flags(""));
    let [of_superlink, of_supernode] =
        [&of_superlink, &of_supernode].map(|flags| flags.each_ref().map(String::as_str));
    let programs = noting(&files, Release::V1_31);
    let path = [programs, Release::V1_31.bin()].into_iter();
    let rest = Maker::Ours.path();
    let path = path.chain(env::split_paths(&rest));
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let plan = plan.superlink_flags(&of_superlink);
    let plan = plan.supernode_flags(&of_supernode);
    let plan = plan.variable("PATH", env::join_paths(path).unwrap());
    let federation = plan.start();
    let app = federation.app("mean");
    let outcome = federation.flwr(Maker::Ours).run(&app, "rounds=1 nodes=1");
    outcome.success().must_say(&["round 1: mean 1.000 of 1"]);
    federation.stop();
    let started = fs::read_to_string(files.path().join("started")).unwrap();
    let trust = format!("--root-certificates {}", pki.ca.display());
    for name in ["flwr-serverapp", "flwr-clientapp"] {
        // The SuperLink asks whether the program can be ended, by its help.
        let is_app = |line: &&str| line.starts_with(name) && !line.ends_with("--help");
        let started: Vec<_> = started.lines().filter(is_app).collect();
        assert!(!started.is_empty(), "{name}");
        assert!(
            started.iter().all(|line| line.contains(&trust)),
            "{started:?}"
        );
    }
}
