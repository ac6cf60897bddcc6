//! Runs that go well: what comes out, and that runs do not get into each other's way.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use e2e::{Federation, Maker, Security};

const OURS: Maker = Maker::Ours;

/// Two nodes, two rounds; each node has been asked once more in each round.
const ROUNDS: [&str; 3] = [
    "round 1: mean 1.500 of 2, calls [1, 1]",
    "round 2: mean 3.000 of 2, calls [2, 2]",
    "finished",
];

#[track_caller]
fn trains(security: Security) {
    let federation = Federation::plan(security).start();
    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "rounds=2").success();
    outcome.must_say(&ROUNDS);
    let statuses = federation.flwr(OURS).statuses(&app);
    assert_eq!(
        statuses.values().collect::<Vec<_>>(),
        ["finished:completed"]
    );
    federation.stop();
}

#[test]
fn an_app_trains_over_tls_with_authentication() {
    trains(Security::TlsAndAuth);
}

#[test]
fn an_app_trains_over_tls() {
    trains(Security::Tls);
}

#[test]
fn an_app_trains_in_plaintext() {
    trains(Security::Insecure);
}

#[test]
fn overrides_reach_the_server_app_and_the_client_apps() {
    let federation = Federation::plan(Security::Insecure).start();
    let app = federation.app("mean");
    let overrides = "rounds=1 scale=4.0 greeting=\"good evening\"";
    let outcome = federation.flwr(OURS).run(&app, overrides).success();
    outcome.must_say(&["greeting: good evening", "round 1: mean 6.000 of 2"]);
    assert!(!outcome.text.contains("round 2"), "{}", outcome.text);
    federation.stop();
}

#[test]
fn an_unknown_override_is_refused_before_anything_runs() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "round=1");
    assert_ne!(outcome.code, Some(0), "{}", outcome.text);
    outcome.must_say(&["round"]);
    assert!(federation.flwr(OURS).statuses(&app).is_empty());
}

#[test]
fn models_larger_than_a_chunk_arrive_whole() {
    let federation = Federation::plan(Security::TlsAndAuth).start();
    let app = federation.app("mean");
    // 24 MB: more than one of the chunks that arrays are cut into, more than HTTP/2's windows.
    let outcome = federation
        .flwr(OURS)
        .run(&app, "rounds=1 size=3000000")
        .success();
    outcome.must_say(&["round 1: mean 1.500 of 2, calls [1, 1]", "finished"]);
    federation.stop();
}

#[test]
fn files_go_with_their_run() {
    let plan = Federation::plan(Security::Insecure);
    let federation = plan.superlink_flags(&["--storage-dir", "storage"]).start();
    let app = federation.app("mean");
    let outcome = federation.flwr(OURS).run(&app, "rounds=2").success();
    outcome.must_say(&ROUNDS);
    let storage = federation.scratch().path().join("storage");
    // They go right after the run is over, of which `flwr` hears first.
    let deadline = Instant::now() + Duration::from_secs(30);
    // `owner` stays: whose directory it is.
    while files(&storage) > 1 {
        assert!(Instant::now() < deadline, "files are left in {storage:?}");
        thread::sleep(Duration::from_millis(20));
    }
    federation.stop();
}

/// How many files there are below a directory.
fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { files(&path) } else { 1 })
        .sum()
}

#[test]
fn runs_come_one_after_another_and_at_once() {
    let federation = Federation::plan(Security::TlsAndAuth).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    for _ in 0..3 {
        // The nodes' memory of a run is the run's own: each counts from one.
        flwr.run(&app, "rounds=2").success().must_say(&ROUNDS);
    }
    let run = |scale| flwr.start(&app, &format!("rounds=2 scale={scale}"));
    let (one, other) = (run("10.0"), run("100.0"));
    flwr.log(&app, one)
        .success()
        .must_say(&["round 2: mean 30.000 of 2, calls [2, 2]"]);
    flwr.log(&app, other)
        .success()
        .must_say(&["round 2: mean 300.000 of 2, calls [2, 2]"]);
    flwr.wait_for_status(&app, one, "finished:completed");
    flwr.wait_for_status(&app, other, "finished:completed");
    assert_eq!(flwr.statuses(&app).len(), 5);
    federation.stop();
}
