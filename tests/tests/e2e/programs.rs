//! `flwr-serverapp` and `flwr-clientapp` in the forms that installers and people give them. An app
//! that leaves by `sys.exit` ends its run in each: Flower's own process would go on for ever.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use e2e::program::Release;
use e2e::scratch::Scratch;
use e2e::{Federation, Maker, Security};

use crate::faults::the_next_run_works;

const OURS: Maker = Maker::Ours;

/// A folder with both programs. In `start`, their first lines, `PYTHON` is the environment's Python
/// and `NAME` the program's name. The environment has the path `place` beneath the test's folder.
fn programs(scratch: &Scratch, place: &str, start: &str) -> PathBuf {
    let environment = scratch.path().join(place);
    fs::create_dir_all(environment.parent().unwrap()).unwrap();
    symlink(Release::V1_22.bin().parent().unwrap(), &environment).unwrap();
    let python = environment.join("bin/python");
    let bin = scratch.folder("programs");
    for name in ["flwr-serverapp", "flwr-clientapp"] {
        let original = fs::read_to_string(environment.join("bin").join(name)).unwrap();
        let (_, body) = original.split_once('\n').unwrap();
        let start = start.replace("PYTHON", python.to_str().unwrap());
        let text = format!("{}\n{body}", start.replace("NAME", name));
        let path = bin.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

/// PATH with this folder before all others.
fn path_with(first: &Path) -> OsString {
    let rest = OURS.path();
    let folders = [first.to_owned()].into_iter();
    env::join_paths(folders.chain(env::split_paths(&rest))).unwrap()
}

/// An app leaves by `sys.exit`, and the next one runs. Both daemons warn where the processes cannot
/// be prepared, and only there.
#[track_caller]
fn runs_end(programs: &Path, is_wrapper: bool) {
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let mut federation = plan.variable("PATH", path_with(programs)).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "server=\"exit\" exit-code=0").failure(1);
    outcome.must_say(&["exited with status 0"]);
    the_next_run_works(flwr, &app);
    for name in ["flwr-serverapp", "flwr-clientapp"] {
        let daemon = match name {
            "flwr-serverapp" => federation.superlink(),
            _ => federation.node(0),
        };
        daemon.line(&format!("starting {}", programs.join(name).display()));
        let has_warned = daemon.has_said("starts from nothing");
        assert_eq!(has_warned, is_wrapper, "{}", daemon.last_words());
    }
    federation.stop();
}

#[test]
fn of_an_environment_whose_path_has_a_space() {
    let scratch = Scratch::new();
    let pips = "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\" \"$@\"\n' '''";
    runs_end(&programs(&scratch, "my venv", pips), false);
}

#[test]
fn of_an_environment_whose_path_is_too_long_for_a_first_line() {
    let scratch = Scratch::new();
    let condas = "#!/bin/sh\n'''exec' \"PYTHON\" \"$0\" \"$@\" #'''";
    let long = format!("{}venv", "long/".repeat(30));
    runs_end(&programs(&scratch, &long, condas), false);
}

#[test]
fn that_ask_env() {
    let scratch = Scratch::new();
    // The environment's folder is on PATH, after that of the programs.
    let envs = "#!/usr/bin/env -S python -s";
    runs_end(&programs(&scratch, "venv", envs), false);
}

#[test]
fn that_set_variables_first() {
    let scratch = Scratch::new();
    let bin = Release::V1_22.bin();
    let wrapper = format!(
        "#!/bin/bash\nexport OMP_NUM_THREADS=1\nexec {}/NAME \"$@\"\nexit",
        bin.display()
    );
    runs_end(&programs(&scratch, "venv", &wrapper), true);
}

#[test]
fn that_do_not_tell_their_python_are_named_by_the_checks() {
    let scratch = Scratch::new();
    let isolated = "#!/bin/sh\nexec PYTHON -I -m NAME \"$@\"\nexit";
    let programs = programs(&scratch, "venv", isolated);
    for (daemon, flags, said) in [
        (
            "flower-superlink",
            ["--insecure", "--check-config"].as_slice(),
            "flwr-serverapp does not tell which Python runs it",
        ),
        (
            "flower-supernode",
            &["--insecure", "--check", "--superlink", "127.0.0.1:1"],
            "flwr-clientapp is no script that names its Python",
        ),
    ] {
        let output = OURS
            .command(daemon)
            .args(flags)
            .env("PATH", path_with(&programs))
            .env("FLWR_HOME", scratch.folder("home"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(said), "{text}");
        assert!(text.contains("first on PATH"), "{text}");
    }
}

/// Its apps would speak to nobody.
#[test]
fn of_a_release_that_is_not_started_yet_are_refused_with_the_ranges() {
    let scratch = Scratch::new();
    let packages = "environment/lib/python3.11/site-packages/flwr-1.44.0.dist-info";
    fs::create_dir_all(scratch.path().join(packages)).unwrap();
    let bin = scratch.folder("environment/bin");
    for (daemon, program) in [
        ("flower-superlink", "flwr-serverapp"),
        ("flower-supernode", "flwr-clientapp"),
    ] {
        let path = bin.join(program);
        fs::write(&path, "#!/bin/sh\nexit 2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        for flags in [&["--insecure"][..], &["--insecure", "--check-config"]] {
            let output = OURS
                .command(daemon)
                .args(flags)
                .env("PATH", path_with(&bin))
                .env("FLWR_HOME", scratch.folder("home"))
                .output()
                .unwrap();
            assert!(!output.status.success(), "{daemon} {flags:?}");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            let path = path.display().to_string();
            for told in [&path, "of flwr 1.44", "1.13 to 1.43", "1.20 to 1.43"] {
                assert!(said.contains(told), "{said}");
            }
            assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        }
    }
}
