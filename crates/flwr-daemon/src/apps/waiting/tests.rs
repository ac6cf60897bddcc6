//! With a script in place of `flwr-serverapp`.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::timeout;

use super::*;
use crate::apps::{clientapp_command, serverapp_command};

const SOON: Duration = Duration::from_secs(30);

/// A program that tells its arguments, and the Python that runs it.
fn script(dir: &Path) -> Program {
    let found = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let python = String::from_utf8(found.stdout).unwrap();
    let script = dir.join("app.py");
    let text = format!(
        "#!{}\nimport sys\nprint('told', sys.argv[1:], sys.stdin.read() == '')\nsys.exit(7)\n",
        python.trim()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    Program::at(script)
}

const TOLD: &str = "told ['--insecure', '--serverappio-api-address', 'a:1', '--token', 'abc'] True";

#[tokio::test]
async fn it_begins_with_the_arguments_that_it_is_told_and_nothing_to_read() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path());
    let command = serverapp_command(&program, "a:1", "abc", None, None);
    let waiting = WaitingApp::spawn(&program, None, None).unwrap().unwrap();
    let app = waiting.begin(&command, None, &Watchers::new()).unwrap();
    let exit = timeout(SOON, app.wait()).await.unwrap();
    assert_eq!(exit.status.and_then(|status| status.code()), Some(7));
    assert_eq!(exit.tail, [TOLD]);
}

#[tokio::test]
async fn its_output_is_in_the_file_of_the_run_that_it_became() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path());
    let (next, run) = (dir.path().join("next.out"), dir.path().join("run-1.out"));
    let command = serverapp_command(&program, "a:1", "abc", None, None);
    let waiting = WaitingApp::spawn(&program, None, Some(&next))
        .unwrap()
        .unwrap();
    assert!(next.exists());
    let app = waiting
        .begin(&command, Some(&run), &Watchers::new())
        .unwrap();
    let exit = timeout(SOON, app.wait()).await.unwrap();
    assert_eq!(exit.tail, [TOLD]);
    assert!(run.exists() && !next.exists());
}

#[tokio::test]
async fn one_that_is_not_needed_ends_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let next = dir.path().join("next.out");
    let waiting = WaitingApp::spawn(&script(dir.path()), None, Some(&next)).unwrap();
    let identity = waiting.as_ref().unwrap().identity.clone();
    drop(waiting);
    timeout(SOON, super::super::lasting::ended(&identity))
        .await
        .unwrap();
    assert!(!next.exists());
}

#[tokio::test]
async fn one_that_has_ended_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path());
    let command = serverapp_command(&program, "a:1", "abc", None, None);
    let mut waiting = WaitingApp::spawn(&program, None, None).unwrap().unwrap();
    waiting.identity.signal_group(Signal::KILL);
    let ended = waiting.child.as_mut().unwrap().wait();
    timeout(SOON, ended).await.unwrap().unwrap();
    assert!(waiting.begin(&command, None, &Watchers::new()).is_err());
}

#[test]
fn a_program_that_is_no_python_script_is_not_started_ahead() {
    let program = Program::at("/bin/true".into());
    let spawned = WaitingApp::spawn(&program, None, None).unwrap();
    assert!(spawned.is_none());
}

/// A process from nothing, whose arguments other users must not see.
#[tokio::test]
async fn a_token_is_on_no_command_line_of_a_fresh_process() {
    let dir = tempfile::tempdir().unwrap();
    let program = script(dir.path());
    let text = fs::read_to_string(program.path()).unwrap();
    let text = text.replace(
        "sys.exit(7)",
        "import os\n\
         lines = [open(f'/proc/{pid}/cmdline').read() for pid in (os.getpid(), os.getppid())]\n\
         print('shown', any('the-token' in line for line in lines), sys.orig_argv[1:] == sys.argv)\n\
         sys.exit(7)",
    );
    fs::write(program.path(), text).unwrap();
    let parent = std::process::id();
    let output = dir.path().join("run.out");
    for (command, flag) in [
        (
            clientapp_command(&program, "a:1", "the-token", parent, None),
            "--clientappio-api-address",
        ),
        (
            serverapp_command(&program, "a:1", "the-token", Some(parent), None),
            "--serverappio-api-address",
        ),
    ] {
        let told = format!(
            "told ['--insecure', '{flag}', 'a:1', '--token', 'the-token', '--parent-pid', '{parent}'] True"
        );
        let watchers = Watchers::new();
        for app in [
            AppProcess::spawn(&command, &watchers).unwrap(),
            AppProcess::spawn_lasting(&command, &output, &watchers).unwrap(),
        ] {
            let exit = timeout(SOON, app.wait()).await.unwrap();
            assert_eq!(exit.tail, [told.as_str(), "shown False True"]);
            assert_eq!(exit.status.and_then(|status| status.code()), Some(7));
        }
    }
}
