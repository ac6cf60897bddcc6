//! Apps whose end is their daemon's end too.

use super::*;
use crate::apps::find_program;
use crate::apps::until::until;

fn shell(script: &str) -> AppCommand {
    AppCommand {
        program: find_program("sh").unwrap(),
        args: vec!["-c".into(), script.into()],
        told: Vec::new(),
        token: None,
        env: vec![("GREETING".into(), "hello".into())],
        name: "test app".to_owned(),
        channels: None,
    }
}

fn is_alive(pid: &str) -> bool {
    Identity::of(pid.parse().unwrap()).is_some_and(|process| process.is_alive())
}

#[tokio::test]
async fn the_exit_tells_status_and_last_lines_of_both_pipes() {
    let app = AppProcess::spawn(
        &shell("echo $GREETING; echo oops >&2; exit 3"),
        &Watchers::new(),
    )
    .unwrap();
    let exit = app.wait().await;
    assert_eq!(exit.to_string(), "exited with status 3");
    assert!(!exit.is_success() && !app.is_running());
    let mut tail = exit.tail.clone();
    tail.sort();
    assert_eq!(tail, ["hello", "oops"]);
    assert_eq!(
        app.wait().await.tail.len(),
        2,
        "a second wait gets the same answer"
    );
}

#[tokio::test]
async fn terminate_asks_first() {
    let app = AppProcess::spawn(
        &shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done"),
        &Watchers::new(),
    )
    .unwrap();
    // SIGTERM before the trap is set would end the shell by signal.
    wait_for_line(&app, "ready").await;
    let exit = app.terminate(Duration::from_secs(10)).await;
    assert!(exit.is_success(), "{exit}");
    assert_eq!(exit.tail.last().unwrap(), "bye");
}

#[tokio::test]
async fn terminate_kills_the_group_of_an_app_that_does_not_listen() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let script = format!(
        "trap '' TERM; sleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait; wait",
        file.display()
    );
    let app = AppProcess::spawn(&shell(&script), &Watchers::new()).unwrap();
    until("the app has written its file", || file.exists()).await;
    let grandchild = std::fs::read_to_string(&file).unwrap();
    assert!(is_alive(grandchild.trim()));
    let exit = app.terminate(Duration::from_millis(50)).await;
    assert!(
        exit.to_string().starts_with("was killed by signal 9"),
        "{exit}"
    );
    until("the app of the app ends", || !is_alive(grandchild.trim())).await;
}

#[tokio::test]
async fn dropping_an_app_kills_it() {
    let app = AppProcess::spawn(&shell("sleep 600"), &Watchers::new()).unwrap();
    let pid = app.id().to_string();
    assert!(is_alive(&pid));
    drop(app);
    until("the app ends", || !is_alive(&pid)).await;
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    let mut command = shell("true");
    command.program = "/nonexistent/app".into();
    let error = AppProcess::spawn(&command, &Watchers::new()).unwrap_err();
    assert_eq!(error.to_string(), "could not start `/nonexistent/app`");
}

async fn wait_for_line(app: &AppProcess, line: &str) {
    // The tail is private to the watcher until the end: look at what the app holds open.
    let stat = format!("/proc/{}/status", app.id());
    // Bit 14 is SIGTERM: the trap stands, and `line` is on its way.
    until(line, || {
        let status = std::fs::read_to_string(&stat).unwrap();
        let caught = status
            .lines()
            .find_map(|l| l.strip_prefix("SigCgt:"))
            .unwrap()
            .trim();
        assert!(app.is_running(), "ended before `{line}`");
        u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0
    })
    .await;
}

#[tokio::test]
async fn a_dropped_app_has_ended_once_its_watchers_are_settled() {
    let watchers = Watchers::new();
    let app = AppProcess::spawn(&shell("sleep 600"), &watchers).unwrap();
    let identity = app.identity();
    assert!(identity.is_alive());
    drop(app);
    watchers.settled().await;
    assert!(!identity.is_alive());
}
