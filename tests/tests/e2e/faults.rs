//! Apps and daemons that fail: the run says so, nothing is left behind, and the next run works.

use e2e::process::wait_for_end;
use e2e::{App, Federation, Flwr, Maker, Process, Release, Security};

const OURS: Maker = Maker::Ours;

/// The process id in a line like `clientapp pid=123 will hang`.
#[track_caller]
pub(crate) fn pid_in(process: &Process, what: &str) -> u32 {
    pid_of(&process.line(&format!("{what} pid=")))
}

/// The process id in what an app printed.
#[track_caller]
pub(crate) fn pid_of(line: &str) -> u32 {
    let number = line.split("pid=").nth(1).unwrap();
    number.split_whitespace().next().unwrap().parse().unwrap()
}

#[track_caller]
pub(crate) fn the_next_run_works(flwr: Flwr<'_>, app: &App) {
    flwr.run(app, "client=\"fine\"")
        .success()
        .must_say(&["reply: 42", "finished"]);
}

/// A node may leave between the ServerApp's question for its nodes and the message to it.
#[test]
fn a_message_to_a_node_that_has_left_is_answered_with_an_error() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    let run = federation.flwr(OURS).run(&app, "absent=1");
    run.success().must_say(&[
        "reply: error 3: Error: Message Unavailable",
        "reply: 42",
        "finished",
    ]);
    federation.stop();
}

/// A SuperNode of pip's ends where its SuperLink calls a reply malformed.
#[test]
fn a_reply_that_comes_too_late_is_dropped_and_its_node_goes_on() {
    let pip = Maker::Pip(Release::V1_22);
    let plan = Federation::plan(Security::Insecure).supernodes(vec![pip]);
    let mut federation = plan.start();
    let app = federation.app("trouble");
    let file = federation.scratch().path().join("go");
    let config = format!(
        "ttl=4.0 server=\"stay\" client=\"wait\" file=\"{}\"",
        file.display()
    );
    let run = federation.flwr(OURS).start(&app, &config);
    federation.superlink().line("reply: error 3");
    std::fs::write(&file, "").unwrap();
    federation.superlink().line("reply dropped");
    let flwr = federation.flwr(OURS);
    let stop = ["stop", &run.to_string(), ".", "e2e"];
    let _ = flwr.call(&app.path, &stop).success();
    the_next_run_works(federation.flwr(OURS), &app);
    federation.stop();
}

#[test]
fn stopping_a_run_ends_its_processes_everywhere() {
    let mut federation = Federation::plan(Security::TlsAndAuth).nodes(1).start();
    let app = federation.app("trouble");
    let run = federation.flwr(OURS).start(&app, "client=\"hang\"");
    let client = pid_in(federation.node(0), "clientapp");
    let server = pid_in(federation.superlink(), "serverapp");
    let flwr = federation.flwr(OURS);
    assert_eq!(flwr.status(&app, run), "running");

    let _ = flwr
        .call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
        .success();
    assert_eq!(flwr.status(&app, run), "finished:stopped");
    wait_for_end(server);
    wait_for_end(client);

    let again = flwr
        .call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
        .failure(1);
    again.must_say(&["finished"]);
    the_next_run_works(flwr, &app);
    federation.stop();
}

#[test]
fn a_server_app_that_raises_fails_its_run() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "server=\"raise\"").failure(1);
    outcome.must_say(&["RuntimeError: this server has trouble"]);
    assert_eq!(
        flwr.statuses(&app).values().collect::<Vec<_>>(),
        ["finished:failed"]
    );
    the_next_run_works(flwr, &app);
    federation.stop();
}

/// Flower's own process would stay: its heartbeat thread goes on when the app has left.
#[test]
fn a_server_app_that_calls_sys_exit_fails_its_run_with_its_status() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    for code in [3, 0] {
        let outcome = flwr.run(&app, &format!("server=\"exit\" exit-code={code}"));
        let status = format!("exited with status {code}");
        outcome.failure(1).must_say(&[&status]);
    }
    assert_eq!(
        flwr.statuses(&app).values().collect::<Vec<_>>(),
        ["finished:failed", "finished:failed"]
    );
    the_next_run_works(flwr, &app);
    federation.stop();
}

#[test]
fn a_server_app_whose_process_dies_fails_its_run() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "server=\"die\" exit-code=3").failure(1);
    outcome.must_say(&["exit", "3"]);
    assert_eq!(
        flwr.statuses(&app).values().collect::<Vec<_>>(),
        ["finished:failed"]
    );
    the_next_run_works(flwr, &app);
    federation.stop();
}

#[test]
fn a_client_app_that_raises_answers_with_the_reason() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "client=\"raise\"").success();
    outcome.must_say(&[
        "reply: error 2: ",
        "ValueError",
        "this client has trouble",
        "finished",
    ]);
    the_next_run_works(flwr, &app);
    federation.stop();
}

#[test]
fn a_client_app_that_is_killed_answers_with_the_signal() {
    let federation = Federation::plan(Security::Insecure).nodes(1).start();
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "client=\"die\"").success();
    outcome.must_say(&["reply: error ", "SIGKILL", "finished"]);
    the_next_run_works(flwr, &app);
    federation.stop();
}

#[test]
fn a_client_app_that_never_answers_is_given_up_when_its_message_expires() {
    let mut federation = Federation::plan(Security::Insecure).nodes(1).start();
    let app = federation.app("trouble");
    // Long enough for a slow machine to start Python, short enough to wait for.
    let outcome = federation
        .flwr(OURS)
        .run(&app, "client=\"hang\" ttl=15.0")
        .success();
    outcome.must_say(&["reply: error ", "finished"]);
    let client = pid_in(federation.node(0), "clientapp");
    wait_for_end(client);
    the_next_run_works(federation.flwr(OURS), &app);
    federation.stop();
}

#[test]
fn stopping_a_daemon_ends_its_apps() {
    let plan = Federation::plan(Security::Insecure).nodes(1);
    let mut federation = plan.supernode_flags(&["--drain", "1"]).start();
    let app = federation.app("trouble");
    let _ = federation.flwr(OURS).start(&app, "client=\"hang\"");
    let client = pid_in(federation.node(0), "clientapp");
    let server = pid_in(federation.superlink(), "serverapp");
    federation.stop();
    wait_for_end(client);
    wait_for_end(server);
}

#[test]
fn a_node_that_was_killed_comes_back_under_its_key() {
    let mut federation = Federation::plan(Security::TlsAndAuth).start();
    let app = federation.app("mean");
    let _ = federation.flwr(OURS).run(&app, "rounds=1").success();
    federation.node(0).kill();
    federation.restart_node(0);
    let outcome = federation.flwr(OURS).run(&app, "rounds=1").success();
    outcome.must_say(&["round 1: mean 1.500 of 2", "finished"]);
    federation.stop();
}

#[test]
fn nodes_come_back_to_a_superlink_that_has_forgotten_them() {
    let mut federation = Federation::plan(Security::TlsAndAuth).start();
    let app = federation.app("mean");
    let _ = federation.flwr(OURS).run(&app, "rounds=1").success();
    federation.superlink().kill();
    federation.restart_superlink();
    let outcome = federation.flwr(OURS).run(&app, "rounds=1").success();
    outcome.must_say(&["round 1: mean 1.500 of 2", "finished"]);
    federation.stop();
}
