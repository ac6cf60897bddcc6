//! Situations of real machines: a key that was copied to a second one, a umask that hides nothing,
//! many people who read one log.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, iter};

use e2e::{Federation, Maker, Outcome, Process, Scratch, Security, ports};

const OURS: Maker = Maker::Ours;

#[test]
fn a_key_on_two_machines_is_told_and_its_messages_are_answered_once() {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(1);
    let mut federation = plan.superlink_flags(&["--node-hold", "1"]).start();
    federation.superlink().line("SuperNode registered");
    let mut command = federation.node_command(OURS, "home-copy");
    let key = &federation.keys()[0];
    command
        .arg("--root-certificates")
        .arg(federation.ca().unwrap())
        .arg("--auth-supernode-private-key")
        .arg(&key.private)
        .arg("--auth-supernode-public-key")
        .arg(&key.public)
        .args(["--superlink", &federation.fleet().to_string()])
        .args([
            "--clientappio-api-address",
            &format!("127.0.0.1:{}", ports::free()),
        ])
        .args(["--node-config", "value=1.0"]);
    let mut copy = Process::start("copy", &mut command, federation.scratch().path());
    copy.line("registered with the SuperLink");
    federation.superlink().line("two SuperNodes use one key");

    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "rounds=2 nodes=1");
    outcome
        .success()
        .must_say(&["round 2: mean 2.000 of 1", "finished"]);
    copy.stop();
    federation.stop();
}

/// All files and folders in this one.
fn all_in(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(folder).unwrap();
    Box::new(entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        let inner = path.is_dir().then(|| all_in(&path));
        iter::once(path).chain(inner.into_iter().flatten())
    }))
}

#[test]
fn keys_certificates_and_lists_are_written_by_their_owner_only_whatever_the_umask() {
    let scratch = Scratch::new();
    let mut shell = Command::new("sh");
    shell.current_dir(scratch.folder("made"));
    let script = "umask 000; \"$0\" key new --count 2 && \"$0\" cert new";
    shell.args(["-c", script]).arg(OURS.program("flwr"));
    shell.env("FLWR_HOME", scratch.folder("home"));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let made: Vec<_> = all_in(&scratch.path().join("made")).collect();
    assert!(made.len() >= 9, "{made:?}");
    for path in made {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o022, 0, "{} is {mode:o}", path.display());
    }
}

#[test]
fn thirty_people_read_one_log_to_its_end() {
    let federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let run = flwr.start(&app, "rounds=8 nodes=1").to_string();
    let read = || flwr.spawn(&app.path, &["log", &run, ".", "e2e", "--stream"]);
    let readers: Vec<_> = iter::repeat_with(read).take(30).collect();
    for mut reader in readers {
        assert!(reader.wait().success(), "{}", reader.last_words());
        let text = reader.all_lines().join("\n");
        for round in 1..=8 {
            let line = format!("round {round}: mean");
            assert_eq!(text.matches(&line).count(), 1, "{line}:\n{text}");
        }
    }
    federation.stop();
}

#[test]
fn a_log_file_that_cannot_be_written_fails_the_check_before_the_start() {
    let scratch = Scratch::new();
    let checks = |file: &Path| {
        let mut command = OURS.command("flower-superlink");
        command
            .args(["--insecure", "--check-config", "--log-file"])
            .arg(file)
            .env("FLWR_HOME", scratch.folder("home"));
        Outcome::from(command.output().unwrap())
    };
    let gone = scratch.path().join("gone/superlink.log");
    let outcome = checks(&gone).failure(1);
    let told = format!("{} cannot be written", gone.display());
    outcome.must_say(&["✗ log", &told, "another file with --log-file"]);
    let there = scratch.path().join("superlink.log");
    let outcome = checks(&there);
    outcome.must_say(&["✓ log", &format!("{} can be written", there.display())]);
    assert!(!there.exists(), "a check writes nothing");
}
