//! Lasting apps: one daemon's, nobody's, and the next one's.

use std::env;
use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::apps::until::{DEADLINE, until};
use crate::apps::{find_program, last_lines};

/// Names the directory for [`a_daemon_to_be_killed`].
const DAEMON_DIR: &str = "FLWR_TEST_LASTING_DAEMON_DIR";

/// Where one app's files are.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn output(&self) -> PathBuf {
        self.path("output")
    }

    fn spawn(&self, script: &str) -> AppProcess {
        AppProcess::spawn_lasting(
            &shell(script, self.0.path()),
            &self.output(),
            &Watchers::new(),
        )
        .unwrap()
    }

    fn adopt(&self, identity: &Identity) -> Option<AppProcess> {
        AppProcess::adopt("ServerApp", identity, &self.output(), &Watchers::new())
    }

    /// What an app wrote to a file, once it is there whole.
    async fn line_of(&self, name: &str) -> String {
        let path = self.path(name);
        let read = || fs::read_to_string(&path).unwrap_or_default();
        until(name, || read().ends_with('\n')).await;
        read().trim().to_owned()
    }
}

/// A script that runs in `dir`.
fn shell(script: &str, dir: &Path) -> AppCommand {
    AppCommand {
        program: find_program("sh").unwrap(),
        args: vec!["-c".into(), format!("cd \"$DIR\"; {script}").into()],
        told: Vec::new(),
        token: None,
        env: vec![("DIR".into(), dir.into())],
        name: "ServerApp".to_owned(),
        channels: None,
    }
}

async fn end_of(app: &AppProcess) -> Exit {
    timeout(DEADLINE, app.wait()).await.unwrap()
}

fn exists(identity: &Identity) -> bool {
    Identity::of(identity.pid).as_ref() == Some(identity)
}

#[tokio::test]
async fn its_output_is_kept_in_a_file_until_its_end_is_known() {
    let place = Place::new();
    let app = place.spawn("echo out; echo oops >&2; printf 'no end'; exit 3");
    let exit = end_of(&app).await;
    assert_eq!(exit.to_string(), "exited with status 3");
    assert_eq!(exit.tail, ["out", "oops", "no end"]);
    assert_eq!(last_lines(&place.output()), exit.tail);
    assert!(!exists(&app.identity()), "a zombie is left");
    drop(app);
    until("the output goes", || !place.output().exists()).await;
}

#[tokio::test]
async fn it_goes_on_when_dropped_and_is_adopted() {
    let place = Place::new();
    let script = "echo first; while [ ! -e go ]; do sleep 0.01; done; echo second; exit 4";
    let app = place.spawn(script);
    let identity = app.identity();
    until("its first line", || !last_lines(&place.output()).is_empty()).await;
    drop(app);
    assert!(identity.is_alive());
    let app = place.adopt(&identity).unwrap();
    assert!(app.is_running() && app.name() == "ServerApp");
    assert_eq!((app.id(), app.identity()), (identity.pid, identity.clone()));
    fs::write(place.path("go"), "").unwrap();
    let exit = end_of(&app).await;
    assert_eq!(exit.tail, ["first", "second"]);
    assert_eq!(exit.to_string(), "ended in an unknown way");
    assert!(!exit.is_success() && !app.is_running());
    until("the first owner reaps it", || !exists(&identity)).await;
    assert!(place.adopt(&identity).is_none());
    drop(app);
    until("the output goes", || !place.output().exists()).await;
}

#[tokio::test]
async fn one_that_ends_unwatched_leaves_its_last_lines() {
    let place = Place::new();
    let app = place.spawn("while [ ! -e go ]; do sleep 0.01; done; echo 'the reason'");
    let identity = app.identity();
    drop(app);
    fs::write(place.path("go"), "").unwrap();
    until("it ends", || !exists(&identity)).await;
    assert!(place.adopt(&identity).is_none());
    assert_eq!(last_lines(&place.output()), ["the reason"]);
}

#[tokio::test]
async fn another_process_with_the_id_is_not_adopted() {
    let place = Place::new();
    let app = place.spawn("sleep 600");
    let mut identity = app.identity();
    identity.started.push('0');
    assert!(place.adopt(&identity).is_none());
    // This one was never started as an app: it leads no group of its own.
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    let other = Identity::of(child.id()).unwrap();
    assert!(place.adopt(&other).is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(app.is_running());
    app.kill();
    assert!(end_of(&app).await.to_string().contains("signal 9"));
}

/// Has started `deaf`, which ignores SIGTERM, and is ready.
const WITH_CHILD: &str = r#"
sh -c 'trap "" TERM; echo $$ > deaf; while :; do sleep 0.05; done' &
trap 'echo bye; exit' TERM
echo > ready
wait
wait
"#;

#[tokio::test]
async fn terminate_ends_an_adopted_app_and_its_deaf_grandchild() {
    let place = Place::new();
    let identity = place.spawn(WITH_CHILD).identity();
    let grandchild = place.line_of("deaf").await.parse().unwrap();
    let grandchild = Identity::of(grandchild).unwrap();
    place.line_of("ready").await;
    let app = place.adopt(&identity).unwrap();
    let exit = timeout(DEADLINE, app.terminate(DEADLINE)).await.unwrap();
    assert_eq!(exit.tail, ["bye"]);
    until("the grandchild ends", || !grandchild.is_alive()).await;
}

#[tokio::test]
async fn an_adopted_app_that_does_not_listen_is_killed() {
    let place = Place::new();
    let script = WITH_CHILD.replace("'echo bye; exit'", "''");
    let identity = place.spawn(&script).identity();
    let grandchild = place.line_of("deaf").await.parse().unwrap();
    let grandchild = Identity::of(grandchild).unwrap();
    place.line_of("ready").await;
    let app = place.adopt(&identity).unwrap();
    let grace = Duration::from_millis(50);
    timeout(DEADLINE, app.terminate(grace)).await.unwrap();
    assert!(!identity.is_alive());
    until("the grandchild ends", || !grandchild.is_alive()).await;
}

#[tokio::test]
async fn an_end_is_seen_with_and_without_a_pidfd() {
    let place = Place::new();
    let app = place.spawn("while [ ! -e go ]; do sleep 0.01; done");
    let identity = app.identity();
    let watch = async { tokio::join!(pidfd_ended(&identity), poll_ended(&identity)) };
    let mut watch = pin!(watch);
    tokio::select! {
        biased;
        _ = &mut watch => panic!("it is still running"),
        () = tokio::task::yield_now() => {}
    }
    fs::write(place.path("go"), "").unwrap();
    let (seen, ()) = timeout(DEADLINE, watch).await.unwrap();
    seen.unwrap();
    // One that has ended before is seen at once, or is said to be gone.
    assert!(!identity.is_alive());
    let _ = timeout(DEADLINE, pidfd_ended(&identity)).await.unwrap();
    assert!(end_of(&app).await.is_success());
}

#[tokio::test]
async fn a_program_that_cannot_start_leaves_no_file() {
    let place = Place::new();
    let mut command = shell("true", place.0.path());
    command.program = "/nonexistent/app".into();
    let error = AppProcess::spawn_lasting(&command, &place.output(), &Watchers::new()).unwrap_err();
    assert_eq!(error.to_string(), "could not start `/nonexistent/app`");
    assert!(!place.output().exists());
    let nowhere = place.path("no/output");
    let error = AppProcess::spawn_lasting(&command, &nowhere, &Watchers::new()).unwrap_err();
    assert!(
        error.to_string().starts_with("could not create `"),
        "{error}"
    );
}

/// Not a test: [`an_app_outlives_its_killed_daemon`] runs this as a process of its own.
#[tokio::test]
async fn a_daemon_to_be_killed() {
    let Some(dir) = env::var_os(DAEMON_DIR) else {
        return;
    };
    let dir = PathBuf::from(dir);
    let script =
        "trap 'echo broken' PIPE; while [ ! -e go ]; do echo line; sleep 0.01; done; echo done";
    let app =
        AppProcess::spawn_lasting(&shell(script, &dir), &dir.join("output"), &Watchers::new())
            .unwrap();
    let Identity { pid, started } = app.identity();
    fs::write(dir.join("identity"), format!("{pid} {started}\n")).unwrap();
    end_of(&app).await;
}

#[tokio::test]
async fn an_app_outlives_its_killed_daemon() {
    let place = Place::new();
    let daemon = "apps::lasting::tests::a_daemon_to_be_killed";
    let mut daemon = Command::new(env::current_exe().unwrap())
        .args(["--exact", daemon])
        .env(DAEMON_DIR, place.0.path())
        .spawn()
        .unwrap();
    let line = place.line_of("identity").await;
    let (pid, started) = line.split_once(' ').unwrap();
    let identity = Identity {
        pid: pid.parse().unwrap(),
        started: started.to_owned(),
    };
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let size = || fs::metadata(place.output()).unwrap().len();
    let before = size();
    until("it writes on", || size() > before).await;
    let app = place.adopt(&identity).unwrap();
    fs::write(place.path("go"), "").unwrap();
    let exit = end_of(&app).await;
    assert_eq!(exit.tail.last().unwrap(), "done");
    assert_eq!(exit.tail[0], "line");
    assert!(!identity.is_alive());
}
