//! Daemons that are killed, with their apps.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Child, Command, ExitCode};

use flwr_daemon::apps::{AppProcess, Identity, Watchers};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;

use crate::place::{LEAVES, Place, living, shell, until};
use crate::trial;

/// Names the folder for a daemon, which is this program with this variable.
pub(crate) const DIR: &str = "FLWR_TEST_KEEPER_DAEMON_DIR";
/// Says that the daemon's app is a lasting one.
const LASTING: &str = "FLWR_TEST_KEEPER_LASTING";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_app_goes_with_its_killed_daemon", goes_with_daemon),
        trial("a_lasting_app_is_adopted_with_all_that_it_started", adopted),
        trial(
            "what_the_killed_keeper_of_an_adopted_app_leaves_ends",
            adopted_with_killed_keeper,
        ),
        trial("a_lasting_app_that_ends_alone_leaves_nothing", ended_alone),
    ]
}

/// A daemon: starts an app once its own program is deleted, notes who the app is, and waits.
pub(crate) fn run(dir: &Path) -> ExitCode {
    fs::remove_file(env::current_exe().unwrap()).unwrap();
    let script = format!("{LEAVES}echo $$ > app; while [ ! -e go ]; do sleep 0.01; done");
    let command = shell(&dir.display().to_string(), &script);
    Runtime::new().unwrap().block_on(async {
        let app = match env::var_os(LASTING) {
            Some(_) => AppProcess::spawn_lasting(&command, &dir.join("output"), &Watchers::new()),
            None => AppProcess::spawn(&command, &Watchers::new()),
        };
        let app = app.unwrap();
        let Identity { pid, started } = app.identity();
        fs::write(dir.join("identity"), format!("{pid} {started}\n")).unwrap();
        app.wait().await;
    });
    ExitCode::SUCCESS
}

fn start(place: &Place, lasting: bool) -> Child {
    let program = place.path("daemon");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let mut daemon = Command::new(program);
    daemon.env(DIR, place.path(""));
    if lasting {
        daemon.env(LASTING, "1");
    }
    loop {
        match daemon.spawn() {
            // Another test's process was forked while the file was being written.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
            started => return started.unwrap(),
        }
    }
}

/// The app's keeper as the daemon noted it, and all processes of the app.
async fn processes(place: &Place) -> (Identity, Vec<Identity>) {
    let line = place.line("identity").await;
    let (pid, started) = line.split_once(' ').unwrap();
    let keeper = Identity {
        pid: pid.parse().unwrap(),
        started: started.to_owned(),
    };
    let mut all = place.left().await;
    all.push(place.process("app").await);
    (keeper, all)
}

fn kill(mut daemon: Child) {
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

async fn goes_with_daemon(place: Place) {
    let daemon = start(&place, false);
    let (keeper, all) = processes(&place).await;
    assert_eq!(living(&all), [true; 6]);
    kill(daemon);
    until("all is gone", || living(&all) == [false; 6]).await;
    until("the keeper goes", || !keeper.is_alive()).await;
}

async fn adopted(place: Place) {
    let daemon = start(&place, true);
    let (keeper, all) = processes(&place).await;
    kill(daemon);
    assert_eq!(living(&all), [true; 6]);
    let app = AppProcess::adopt(
        "ServerApp",
        &keeper,
        &place.path("output"),
        &Watchers::new(),
    )
    .unwrap();
    app.kill();
    app.wait().await;
    assert_eq!(living(&all), [false; 6]);
}

async fn adopted_with_killed_keeper(place: Place) {
    let daemon = start(&place, true);
    let (keeper, all) = processes(&place).await;
    kill(daemon);
    let app = AppProcess::adopt(
        "ServerApp",
        &keeper,
        &place.path("output"),
        &Watchers::new(),
    )
    .unwrap();
    let pid = Pid::from_raw(keeper.pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    app.wait().await;
    assert_eq!(living(&all), [false; 6]);
}

async fn ended_alone(place: Place) {
    let daemon = start(&place, true);
    let (keeper, all) = processes(&place).await;
    kill(daemon);
    place.touch("go");
    until("all is gone", || living(&all) == [false; 6]).await;
    until("the keeper goes", || !keeper.is_alive()).await;
    assert!(
        AppProcess::adopt(
            "ServerApp",
            &keeper,
            &place.path("output"),
            &Watchers::new()
        )
        .is_none()
    );
}
