//! Processes that apps start in sessions of their own: none outlives its run.

use e2e::process::Seen;
use e2e::{App, Federation, Maker, Process, Security};

const OURS: Maker = Maker::Ours;

/// The three processes that a ServerApp or a ClientApp has left behind, but for those of `others`.
#[track_caller]
fn left(process: &Process, who: &str, others: &[Seen]) -> Vec<Seen> {
    let start = format!("{who} has left ");
    let pids = |line: &str| -> Vec<u32> {
        let told = line.split_once(&start).map_or("", |(_, told)| told);
        let pids = told.split_whitespace().map(|pid| pid.parse().unwrap());
        pids.filter(|pid| others.iter().all(|other| other.pid != *pid))
            .collect()
    };
    let line = process.line_where(&start, |line| pids(line).len() == 3);
    pids(&line).into_iter().map(Seen::now).collect()
}

/// The apps of a run that both leave processes behind.
const HANGS: &str = "client=\"hang\" leave=true";
/// The same; here the ClientApp has ended, and the node can work for other runs.
const STAYS: &str = "server=\"stay\" leave=true";

/// Starts a run; gives all that its apps have left behind.
#[track_caller]
fn start(
    federation: &mut Federation,
    app: &App,
    config: &str,
    others: &[Seen],
) -> (u64, Vec<Seen>) {
    let run = federation.flwr(OURS).start(app, config);
    let mut pids = left(federation.superlink(), "serverapp", others);
    pids.extend(left(federation.node(0), "clientapp", others));
    (run, pids)
}

#[track_caller]
fn stop(federation: &Federation, app: &App, run: u64) {
    let stop = ["stop", &run.to_string(), ".", "e2e"];
    let _ = federation.flwr(OURS).call(&app.path, &stop).success();
}

#[track_caller]
fn all_end(pids: &[Seen]) {
    pids.iter().for_each(|process| process.wait_for_end());
}

#[test]
fn a_stopped_run_leaves_no_process_and_another_run_keeps_its_own() {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let app = federation.app("trouble");
    let (stays, of_other) = start(&mut federation, &app, STAYS, &[]);
    let (stopped, pids) = start(&mut federation, &app, HANGS, &of_other);
    stop(&federation, &app, stopped);
    all_end(&pids);
    assert!(of_other.iter().all(|process| process.is_alive()));
    // The node learns that an idle run is over when it looks, which is once a minute.
    stop(&federation, &app, stays);
    all_end(&of_other);
    federation.stop();
}

#[test]
fn a_finished_run_leaves_no_process_and_another_run_keeps_its_own() {
    let mut federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    let (_, of_other) = start(&mut federation, &app, STAYS, &[]);
    let outcome = federation.flwr(OURS).run(&app, "leave=true").success();
    outcome.must_say(&["reply: 42", "finished"]);
    all_end(&left(federation.superlink(), "serverapp", &of_other));
    all_end(&left(federation.node(0), "clientapp", &of_other));
    assert!(of_other.iter().all(|process| process.is_alive()));
    federation.stop();
    all_end(&of_other);
}

#[test]
fn a_run_that_a_later_superlink_took_over_leaves_no_process() {
    let mut federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    let (run, pids) = start(&mut federation, &app, HANGS, &[]);
    federation.superlink().kill();
    federation.restart_superlink();
    federation.superlink().line("taken over");
    assert!(pids.iter().all(|process| process.is_alive()));
    stop(&federation, &app, run);
    all_end(&pids);
    federation.stop();
}

#[test]
fn daemons_that_are_killed_leave_no_process() {
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let mut federation = plan.superlink_flags(&["--database", ":memory:"]).start();
    let app = federation.app("trouble");
    let (_, pids) = start(&mut federation, &app, HANGS, &[]);
    federation.node(0).kill();
    federation.superlink().kill();
    all_end(&pids);
}

#[test]
fn daemons_that_are_stopped_leave_no_process() {
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let mut federation = plan.supernode_flags(&["--drain", "1"]).start();
    let app = federation.app("trouble");
    let (_, pids) = start(&mut federation, &app, HANGS, &[]);
    federation.stop();
    all_end(&pids);
}
