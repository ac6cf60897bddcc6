//! App processes of later releases, each family of their calls: started by the `flower-superexec` of
//! their release beside our daemons.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use e2e::process::wait_for_end;
use e2e::{Federation, Isolation, Maker, PATIENCE, Release, Security};
use rustix::process::{Pid, Signal, kill_process};

use crate::faults::pid_in;

const OURS: Maker = Maker::Ours;
/// One of each family: a token in the body, by two names of the calls, in the metadata too, tasks, and
/// the service Runtime.
const FAMILIES: [Release; 5] = [
    Release::V1_22,
    Release::V1_26,
    Release::V1_29,
    Release::V1_31,
    Release::V1_34,
];

/// A federation with one node, whose apps nobody starts yet.
fn federation() -> Federation {
    let plan = Federation::plan(Security::Insecure).isolation(Isolation::Nobody);
    plan.nodes(1).start()
}

/// Makes a test of apps of each family, in a federation of its own.
fn with_each_family(test: impl Fn(&Federation)) {
    for release in FAMILIES {
        let federation = federation();
        let superexecs = federation.superexecs(release, None);
        test(&federation);
        drop(superexecs);
        federation.stop();
    }
}

/// The statuses of all runs.
fn statuses(federation: &Federation, name: &str) -> Vec<String> {
    let app = federation.app(name);
    let statuses = federation.flwr(OURS).statuses(&app);
    statuses.into_values().collect()
}

#[test]
fn a_run_completes_with_apps_of_each_family() {
    with_each_family(|federation| {
        let app = federation.app("mean");
        let outcome = federation.flwr(OURS).run(&app, "rounds=2 nodes=1");
        outcome
            .success()
            .must_say(&["round 2: mean 2.000 of 1, calls [2]", "finished"]);
        assert_eq!(statuses(federation, "mean"), ["finished:completed"]);
    });
}

/// Programs of flwr 1.24 to 1.29 take a RuntimeError of the ServerApp for a start that was rejected,
/// and say nothing of it to the SuperLink.
#[test]
fn an_app_of_each_family_that_raises_says_so() {
    with_each_family(|federation| {
        let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
        let outcome = flwr.run(&app, "client=\"raise\"").success();
        outcome.must_say(&["reply: error 2", "this client has trouble", "finished"]);
        let outcome = flwr.run(&app, "server=\"break\"");
        outcome.must_say(&["this server is broken"]);
        let mut statuses = statuses(federation, "trouble");
        statuses.sort();
        assert_eq!(statuses, ["finished:completed", "finished:failed"]);
    });
}

/// The daemons cannot end a process that is not theirs: it hears of the stop when it asks next.
#[test]
fn a_stopped_run_ends_the_apps_of_each_family() {
    with_each_family(|federation| {
        let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
        let run = flwr.start(&app, "client=\"hang\"").to_string();
        let mut log = flwr.spawn(&app.path, &["log", &run, ".", "e2e", "--stream"]);
        let server = pid_in(&log, "serverapp");
        let _ = flwr.call(&app.path, &["stop", &run, ".", "e2e"]).success();
        wait_for_end(server);
        assert!(log.wait().success(), "{}", log.last_words());
        assert_eq!(statuses(federation, "trouble"), ["finished:stopped"]);
    });
}

/// The process of nobody here works on and asks for nothing: it hears of the stop by its next sign of
/// life. A refusal would end the signs only.
#[test]
fn a_clientapp_that_hangs_ends_when_its_run_is_stopped() {
    let federation = federation();
    let superexecs = federation.superexecs(Release::V1_26, None);
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let run = flwr.start(&app, "client=\"hang\"").to_string();
    let client = pid_in(&superexecs[1], "clientapp");
    let _ = flwr.call(&app.path, &["stop", &run, ".", "e2e"]).success();
    wait_for_end(client);
    drop(superexecs);
    federation.stop();
}

#[test]
fn apps_of_two_families_work_at_the_same_time() {
    let federation = federation();
    let both = [Release::V1_26, Release::V1_31].map(|release| federation.superexecs(release, None));
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let runs = [1, 2].map(|_| flwr.start(&app, "rounds=3 nodes=1").to_string());
    for run in runs {
        let log = flwr.call(&app.path, &["log", &run, ".", "e2e", "--stream"]);
        log.success()
            .must_say(&["round 3: mean 3.000 of 1", "finished"]);
    }
    assert_eq!(statuses(&federation, "mean"), ["finished:completed"; 2]);
    drop(both);
    federation.stop();
}

/// A process that is killed says nothing: it is missed by its signs of life.
#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn apps_that_are_killed_are_missed() {
    let federation = federation();
    let superexecs = federation.superexecs(Release::V1_31, None);
    let (app, flwr) = (federation.app("trouble"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "client=\"die\"").success();
    outcome.must_say(&["reply: error", "stopped responding", "finished"]);
    let run = flwr.start(&app, "server=\"stay\"").to_string();
    let mut log = flwr.spawn(&app.path, &["log", &run, ".", "e2e", "--stream"]);
    let server = pid_in(&log, "serverapp");
    let _ = log.line("reply: 42");
    let pid = Pid::from_raw(i32::try_from(server).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    assert!(
        log.wait_within(2 * PATIENCE).success(),
        "{}",
        log.last_words()
    );
    let mut statuses = statuses(&federation, "trouble");
    statuses.sort();
    assert_eq!(statuses, ["finished:completed", "finished:failed"]);
    drop(superexecs);
    federation.stop();
}

/// Flower's own SuperLink forgets a token after 30 s.
#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn a_token_outlives_an_import_of_40_s() {
    let federation = federation();
    let programs = federation.scratch().folder("programs");
    for name in ["flwr-serverapp", "flwr-clientapp"] {
        let program = Maker::Pip(Release::V1_31).program(name);
        let text = format!("#!/bin/sh\nsleep 40\nexec {} \"$@\"\n", program.display());
        fs::write(programs.join(name), text).unwrap();
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let superexecs = federation.superexecs(Release::V1_31, Some(&programs));
    let app = federation.app("trouble");
    let outcome = federation.flwr(OURS).run(&app, "client=\"fine\"");
    outcome.success().must_say(&["reply: 42", "finished"]);
    drop(superexecs);
    federation.stop();
}
