//! Peers that speak HTTP/1.1 at our daemons: SuperNodes of flwr 1.40 and later, `flwr` of 1.37 and
//! later, and app processes of 1.35 and later.

use e2e::keys::NodeKey;
use e2e::{Federation, Isolation, Maker, Plan, Release, Security};

mod commands;

const OURS: Maker = Maker::Ours;
const NEWEST: Maker = Maker::Pip(Release::V1_42);
/// Our daemons with the app processes of this release.
const WITH_NEWEST: Maker = Maker::OursWith(Release::V1_42);

/// A run of two rounds that `flwr` of 1.42 starts and reads.
fn completes(federation: &Federation, nodes: u32) {
    let (app, flwr) = (federation.app("mean"), federation.flwr(NEWEST));
    let outcome = flwr.run(&app, &format!("rounds=2 nodes={nodes}"));
    let calls = vec!["2"; nodes as usize].join(", ");
    outcome
        .success()
        .must_say(&[&format!("of {nodes}, calls [{calls}]"), "finished"]);
    let statuses: Vec<_> = flwr.statuses(&app).into_values().collect();
    assert_eq!(statuses, ["finished:completed"]);
}

/// SuperNodes over HTTP, over gRPC as two generations speak it, and ours.
fn mixed(security: Security) -> Plan {
    let nodes = [
        NEWEST,
        Maker::Pip(Release::V1_31),
        Maker::Pip(Release::V1_20),
        OURS,
    ];
    Federation::plan(security).supernodes(nodes)
}

#[test]
fn supernodes_of_1_42_and_of_earlier_releases_train_one_model_in_plaintext() {
    let federation = mixed(Security::Insecure).start();
    completes(&federation, 4);
    federation.stop();
}

#[test]
fn supernodes_of_1_42_and_of_earlier_releases_train_one_model_over_tls() {
    let federation = mixed(Security::Tls).start();
    completes(&federation, 4);
    federation.stop();
}

#[test]
fn a_listed_key_lets_a_supernode_of_1_42_in() {
    let plan = Federation::plan(Security::TlsAndAuth).supernodes([NEWEST]);
    let federation = plan.start();
    completes(&federation, 1);
    federation.stop();
}

#[test]
fn our_daemons_start_app_processes_of_1_42() {
    let plan = Federation::plan(Security::Insecure).superlink(WITH_NEWEST);
    let federation = plan.supernodes([WITH_NEWEST, NEWEST]).start();
    completes(&federation, 2);
    federation.stop();
}

#[test]
fn a_superexec_of_1_42_that_holds_the_secret_starts_apps() {
    let plan = Federation::plan(Security::Insecure).isolation(Isolation::Process);
    let plan = plan.superexec(Release::V1_42).superexec_secret();
    let federation = plan.nodes(1).start();
    completes(&federation, 1);
    federation.stop();
}

#[test]
fn the_command_of_1_42_stops_registers_and_reads_why_it_is_refused() {
    let federation = Federation::plan(Security::Tls).nodes(0).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(NEWEST));
    let call = |words: &[&str]| flwr.call(&app.path, &[words, flwr.place()].concat());
    let run = flwr.start(&app, "rounds=1").to_string();
    let _ = call(&["stop", &run]).success();
    call(&["stop", &run])
        .failure(1)
        .must_say(&["[code: 18]", "already finished"]);
    call(&["stop", "7"]).failure(1).must_say(&["[code: 16]"]);
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let register = ["supernode", "register", key.public.to_str().unwrap()];
    call(&register)
        .success()
        .must_say(&["registered successfully"]);
    call(&register)
        .failure(1)
        .must_say(&["[code: 23] Public key already in use"]);
    call(&["supernode", "list"])
        .success()
        .must_say(&["registered"]);
    call(&["federation", "list"])
        .success()
        .must_say(&["@none/default"]);
    call(&["federation", "create", "more"])
        .failure(1)
        .must_say(&["[code: 1]", "not offered"]);
    federation.stop();
}
