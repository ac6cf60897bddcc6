//! Runs are deleted, by hand and by `--keep-runs`, and a run that waits for nodes says so.

use e2e::{
    App, Federation, Flwr, Maker, Outcome, PATIENCE, Release, Security, until, until_within,
};
use serde_json::Value;

const OURS: Maker = Maker::Ours;
const PIP: Maker = Maker::Pip(Release::V1_22);

/// `flwr run delete`.
#[track_caller]
fn delete(flwr: Flwr<'_>, app: &App, run: u64, more: &[&str]) -> Outcome {
    let run = run.to_string();
    let words = ["run", "delete", &run, ".", "e2e"];
    flwr.call(&app.path, &[&words, more].concat())
}

/// A run that has failed.
#[track_caller]
fn failed(flwr: Flwr<'_>, app: &App) -> u64 {
    let run = flwr.start(app, "server=\"raise\"");
    flwr.wait_for_status(app, run, "finished:failed");
    run
}

#[test]
fn a_finished_run_is_deleted_with_its_log_and_stays_so() {
    let mut federation = Federation::plan(Security::Insecure).nodes(0).start();
    federation
        .superlink()
        .line("runs are kept for ever: 0 runs, 0 bytes of logs; --keep-runs");
    let app = federation.app("trouble");
    let flwr = federation.flwr(OURS);
    let over = failed(flwr, &app);
    flwr.log(&app, over).must_say(&["this server has trouble"]);
    let running = flwr.start(&app, "nodes=99");
    flwr.wait_for_status(&app, running, "running");

    let refused = delete(flwr, &app, running, &[]).failure(1);
    let way_out = format!("Run ID {running} is running: end it first, with `flwr stop {running}`");
    refused.must_say(&[&way_out]);
    delete(flwr, &app, 1, &[])
        .failure(1)
        .must_say(&["Run ID not found"]);
    delete(flwr, &app, over, &[])
        .success()
        .must_say(&[&format!("Run {over} and its log are deleted")]);
    let is_gone = |federation: &Federation| {
        for maker in [OURS, PIP] {
            let flwr = federation.flwr(maker);
            assert_eq!(
                flwr.statuses(&app).into_keys().collect::<Vec<_>>(),
                [running]
            );
            flwr.log(&app, over).must_say(&["Run ID not found"]);
        }
    };
    is_gone(&federation);
    federation.superlink().kill();
    federation.restart_superlink();
    is_gone(&federation);

    // Its process is still ending when the run is stopped.
    let flwr = federation.flwr(OURS);
    let stopped = flwr.call(&app.path, &["stop", &running.to_string(), ".", "e2e"]);
    let _ = stopped.success();
    let answer = delete(flwr, &app, running, &["--format", "json"]).success();
    let answer: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(answer["run-id"], running);
    assert!(flwr.statuses(&app).is_empty());
    federation.stop();
}

#[test]
fn the_newest_runs_are_kept_and_the_others_go_by_themselves() {
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let mut federation = plan.superlink_flags(&["--keep-runs", "1"]).start();
    let told = "finished runs are kept until another run finishes (--keep-runs): 0 runs";
    federation.superlink().line(told);
    let app = federation.app("trouble");
    let flwr = federation.flwr(OURS);
    let running = flwr.start(&app, "nodes=99");
    let (first, second) = (failed(flwr, &app), failed(flwr, &app));
    let mut left = [running, second];
    left.sort_unstable();
    until("the first run is gone", || {
        flwr.statuses(&app).into_keys().collect::<Vec<_>>() == left
    });
    flwr.log(&app, first).must_say(&["Run ID not found"]);
    flwr.log(&app, second)
        .must_say(&["this server has trouble"]);
    federation
        .superlink()
        .line("finished runs deleted with their logs (--keep-runs)");
    federation.stop();
}

#[test]
fn a_superlink_of_flower_cannot_delete_runs_and_that_is_said_in_one_line() {
    let plan = Federation::plan(Security::Insecure).nodes(0);
    let federation = plan.superlink(PIP).start();
    let app = federation.app("trouble");
    let told = delete(federation.flwr(OURS), &app, 1, &[]).failure(1);
    told.must_say(&["❌ this SuperLink cannot delete runs"]);
    federation.stop();
}

#[test]
fn a_run_that_waits_for_nodes_says_so_in_the_list_and_in_its_log() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    let flwr = federation.flwr(OURS);
    let run = flwr.start(&app, "nodes=3");
    let list = |maker| {
        federation
            .flwr(maker)
            .call(&app.path, &["ls", ".", "e2e"])
            .success()
    };
    // The SuperLink watches for a minute before it says so.
    until_within(3 * PATIENCE, "the run waits", || {
        list(OURS)
            .text
            .contains("running (waits for nodes: 1 online)")
    });
    list(PIP).must_say(&["running"]);
    assert_eq!(federation.flwr(PIP).status(&app, run), "running");
    let show = ["log", &run.to_string(), ".", "e2e", "--show"];
    for maker in [OURS, PIP] {
        let told = "and sent no message: 1 SuperNode is online.";
        let flwr = federation.flwr(maker);
        until("the log says so", || {
            flwr.call(&app.path, &show).text.contains(told)
        });
    }
    federation.stop();
}
