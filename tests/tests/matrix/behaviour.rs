//! What app processes of a release do under our daemons when all goes well, and when it does not.

use std::fs;

use e2e::process::wait_for_end;
use e2e::{App, Federation, Maker, tools};

const OURS: Maker = Maker::Ours;

/// Plays it all on a federation of one SuperNode.
///
/// # Panics
/// If something is not as it should be.
pub(crate) fn show(federation: &mut Federation) {
    let (mean, trouble) = (federation.app("mean"), federation.app("trouble"));
    let flwr = federation.flwr(OURS);
    let outcome = flwr.run(&mean, "rounds=2 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1, calls [1]"]);
    outcome.must_say(&["round 2: mean 2.000 of 1, calls [2]", "finished"]);

    // flwr 1.24 to 1.29 take a RuntimeError of the app for one of their own.
    let outcome = flwr.run(&trouble, "server=\"break\"").failure(1);
    outcome.must_say(&["ValueError: this server is broken"]);
    let outcome = flwr.run(&trouble, "client=\"raise\"").success();
    outcome.must_say(&["reply: error ", "this client has trouble", "finished"]);
    let outcome = flwr.run(&trouble, "client=\"die\"").success();
    outcome.must_say(&["reply: error ", "SIGKILL", "finished"]);

    a_killed_server_app_fails_its_run(federation, &trouble);
    a_stopped_run_ends_its_processes(federation, &trouble);
    two_runs_go_on_at_once(federation, &mean);
    an_app_may_import_for_a_minute(federation);
}

fn a_killed_server_app_fails_its_run(federation: &mut Federation, app: &App) {
    let seen = federation.superlink().lines().len();
    let run = federation.flwr(OURS).start(app, "server=\"stay\"");
    let server = pid(&federation.superlink().line_after(seen, "serverapp pid="));
    let _ = tools::run(federation.scratch().path(), &format!("kill -9 {server}"));
    let flwr = federation.flwr(OURS);
    flwr.wait_for_status(app, run, "finished:failed");
    flwr.log(app, run).must_say(&["SIGKILL"]);
}

fn a_stopped_run_ends_its_processes(federation: &mut Federation, app: &App) {
    let seen = [
        federation.superlink().lines().len(),
        federation.node(0).lines().len(),
    ];
    let run = federation.flwr(OURS).start(app, "client=\"hang\"");
    let client = pid(&federation.node(0).line_after(seen[1], "clientapp pid="));
    let server = pid(&federation.superlink().line_after(seen[0], "serverapp pid="));
    let flwr = federation.flwr(OURS);
    assert_eq!(flwr.status(app, run), "running");
    let _ = flwr.about(app, "stop", run, &[]).success();
    assert_eq!(flwr.status(app, run), "finished:stopped");
    wait_for_end(server);
    wait_for_end(client);
}

fn two_runs_go_on_at_once(federation: &Federation, app: &App) {
    let flwr = federation.flwr(OURS);
    let runs = [(); 2].map(|()| flwr.start(app, "rounds=3 nodes=1"));
    for run in runs {
        let log = flwr.log(app, run);
        log.must_say(&["round 3: mean 3.000 of 1, calls [3]", "finished"]);
        flwr.wait_for_status(app, run, "finished:completed");
    }
}

/// A process of upstream's has 30 s to its first sign of life, and loses its token then.
fn an_app_may_import_for_a_minute(federation: &Federation) {
    let app = federation.app("mean");
    for file in ["mean/client.py", "mean/server.py"] {
        let file = app.path.join(file);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("import time\ntime.sleep(60)\n{text}")).unwrap();
    }
    let outcome = federation
        .flwr(OURS)
        .run(&app, "rounds=1 nodes=1")
        .success();
    outcome.must_say(&["round 1: mean 1.000 of 1, calls [1]", "finished"]);
}

fn pid(line: &str) -> u32 {
    let number = line.split("pid=").nth(1).unwrap();
    number.split_whitespace().next().unwrap().parse().unwrap()
}
