//! A ServerApp that dies with its SuperLink: its run is failed, or starts again if that was asked
//! for. What a ServerApp had computed is in no state but its own.

use std::thread;
use std::time::Duration;

use e2e::{App, Federation, Maker, process};
use rustix::process::{Pid, Signal, kill_process};

use crate::report::{self, Task};
use crate::run_in_progress::{Found, RunInProgress};
use crate::scenario;
use crate::state::State;

const OURS: Maker = Maker::Ours;
const TASK: Task = Task {
    seed: 7,
    rounds: 8,
    nodes: 2,
    heavy_every: report::HEAVY_EVERY,
    noisy: false,
    patience: report::PATIENCE,
};
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A federation whose run is in the middle, when all of the coordinator's machine dies.
struct Crashed {
    federation: Federation,
    app: App,
    running: RunInProgress,
    _state: State,
}

impl Crashed {
    #[track_caller]
    fn start(flags: &[&str]) -> Self {
        let state = State::new(false);
        let mut federation = scenario::plan(TASK.nodes, state.path(), flags).start();
        let app = federation.app("steady");
        let mut running = RunInProgress::start(&federation, &app, TASK, "report");
        while running.rounds < 3 {
            assert_ne!(running.look(&federation, &app), Found::End);
            thread::sleep(LOOK_EVERY);
        }
        let server = server_in(&running.report.lines());
        // The SuperLink first: it would see the end of its ServerApp, and fail the run in order.
        federation.superlink().kill();
        let pid = Pid::from_raw(i32::try_from(server).unwrap()).unwrap();
        // It is gone already where ServerApps end with their SuperLink.
        let _ = kill_process(pid, Signal::KILL);
        process::wait_for_end(server);
        federation.restart_superlink();
        Self {
            federation,
            app,
            running,
            _state: state,
        }
    }
}

/// The process id of the ServerApp that told last.
fn server_in(report: &[String]) -> u32 {
    let told = report
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix("serverapp pid="));
    told.unwrap().parse().unwrap()
}

#[test]
fn a_run_whose_server_app_died_with_its_superlink_is_failed_and_says_why() {
    let _alone = crate::alone();
    let mut crashed = Crashed::start(&[]);
    let run = crashed.running.id;
    let flwr = crashed.federation.flwr(OURS);
    flwr.wait_for_status(&crashed.app, run, "finished:failed");
    let end = crashed.federation.superlink().line("phase=finished:failed");
    assert!(!end.contains("details=\"\""), "no reason: {end}");

    let next = RunInProgress::start(&crashed.federation, &crashed.app, TASK, "next");
    crashed
        .federation
        .flwr(OURS)
        .wait_for_status(&crashed.app, next.id, "finished:completed");
    let expected = TASK.expected(&crashed.app);
    assert_eq!(report::rounds_in(&next.report.lines()), expected);
    crashed.federation.stop();
}

#[test]
fn a_run_is_resumed_from_its_beginning_if_that_was_asked_for() {
    let _alone = crate::alone();
    let crashed = Crashed::start(&["--resume-runs"]);
    let flwr = crashed.federation.flwr(OURS);
    flwr.wait_for_status(&crashed.app, crashed.running.id, "finished:completed");
    assert_eq!(flwr.statuses(&crashed.app).len(), 1, "another run");

    let lines = crashed.running.report.lines();
    let is_start = |line: &String| line.starts_with("serverapp pid=");
    assert_eq!(lines.iter().filter(|line| is_start(line)).count(), 2);
    let again = lines.iter().rposition(is_start).unwrap();
    let expected = TASK.expected(&crashed.app);
    assert_eq!(report::rounds_in(&lines[again..]), expected);
    crashed.federation.stop();
}
