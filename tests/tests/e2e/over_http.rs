//! Our SuperNode and our `flwr` at SuperLinks that speak HTTP/1.1: those of flwr 1.40 and later.

use std::sync::{Arc, Mutex};

use e2e::forwarder::Forwarder;
use e2e::keys::NodeKey;
use e2e::{Federation, Maker, Process, Release, Security, ports};

use crate::later::{json, registers_lists_and_unregisters};

const OURS: Maker = Maker::Ours;
const HTTP: Maker = Maker::Pip(Release::V1_42);
const SPEAKS_HTTP: &str = "the SuperLink speaks the wire of flwr 1.40 and later, over HTTP/1.1";

fn trains(security: Security, app: Release) {
    let plan = Federation::plan(security).superlink(HTTP);
    let federation = plan.supernodes([OURS, Maker::OursWith(app)]).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    flwr.run(&app, "rounds=2").success().must_say(&[
        "round 1: mean 1.500 of 2, calls [1, 1]",
        "round 2: mean 3.000 of 2, calls [2, 2]",
        "finished",
    ]);
    let statuses = flwr.statuses(&app);
    assert_eq!(
        statuses.values().collect::<Vec<_>>(),
        ["finished:completed"]
    );
    federation.stop();
}

#[test]
fn our_supernodes_and_our_flwr_train_at_a_1_42_superlink_in_plaintext() {
    trains(Security::Insecure, Release::V1_31);
}

#[test]
fn our_supernodes_start_clientapps_of_1_42_for_a_1_42_superlink() {
    trains(Security::Insecure, Release::V1_42);
}

#[test]
fn our_supernodes_and_our_flwr_train_at_a_1_42_superlink_over_tls() {
    trains(Security::Tls, Release::V1_34);
}

#[test]
fn our_supernodes_with_registered_keys_train_at_a_1_42_superlink() {
    trains(Security::TlsAndAuth, Release::V1_26);
}

#[test]
fn our_command_lists_logs_stops_and_registers_at_a_1_42_superlink() {
    let plan = Federation::plan(Security::Tls).superlink(HTTP);
    let federation = plan.nodes(0).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let run = flwr.start(&app, "rounds=1");
    assert!(flwr.statuses(&app).contains_key(&run));
    let stop = ["stop", &run.to_string(), ".", "e2e"];
    let stopped = flwr.call(&app.path, &stop).success();
    stopped.must_say(&["successfully stopped"]);
    assert_eq!(flwr.status(&app, run), "finished:stopped");
    let again = flwr.call(&app.path, &stop).failure(1);
    again.must_say(&["already finished"]);
    // The log of a run that is over ends by itself.
    let _ = flwr.log(&app, run).success();
    let unknown = flwr.call(&app.path, &["log", "7", ".", "e2e", "--show"]);
    unknown.failure(1).must_say(&["Run ID not found"]);
    registers_lists_and_unregisters(flwr, &app, &federation);
    let list = ["federation", "list", ".", "e2e"];
    let listed = json(flwr, &app, &list);
    assert_eq!(listed["federations"][0]["id"], "@none/default", "{listed}");
    let show = [&list[..], &["--federation", "@none/default"]].concat();
    let shown = json(flwr, &app, &show);
    let members = &shown["federation"]["members"];
    assert_eq!(members[0]["member_id"], "none", "{shown}");
    federation.stop();
}

/// A SuperNode of ours with a key, or without one.
fn node(federation: &Federation, superlink: &str, key: Option<&NodeKey>) -> Process {
    let mut command = federation.node_command(OURS, "home-more");
    match federation.ca() {
        None => command.arg("--insecure"),
        Some(ca) => command.arg("--root-certificates").arg(ca),
    };
    if let Some(key) = key {
        command
            .arg("--auth-supernode-private-key")
            .arg(&key.private);
        command.arg("--auth-supernode-public-key").arg(&key.public);
    }
    let appio = format!("127.0.0.1:{}", ports::free());
    command.args([
        "--superlink",
        superlink,
        "--clientappio-api-address",
        &appio,
    ]);
    Process::start("more", &mut command, federation.scratch().path())
}

#[test]
fn a_supernode_that_nobody_registered_waits_at_a_1_42_superlink_and_is_told_why() {
    let plan = Federation::plan(Security::TlsAndAuth).superlink(HTTP);
    let federation = plan.nodes(0).start();
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let superlink = federation.fleet().to_string();
    let mut waiting = node(&federation, &superlink, Some(&key));
    let told = waiting.line("the SuperLink at");
    assert!(told.contains("must be registered via the CLI"), "{told}");
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let public = key.public.to_str().unwrap();
    let register = ["supernode", "register", public, "e2e"];
    let _ = flwr.call(&app.path, &register).success();
    waiting.line("registered with the SuperLink");
    waiting.stop();
    federation.stop();
}

#[test]
fn a_supernode_registers_anew_when_a_1_42_superlink_was_restarted_without_its_state() {
    let plan = Federation::plan(Security::Insecure).superlink(HTTP);
    let mut federation = plan.nodes(1).start();
    federation.node(0).line("registered with the SuperLink");
    let seen = federation.node(0).lines().len();
    federation.superlink().kill();
    federation.restart_superlink();
    let again = federation
        .node(0)
        .line_after(seen, "registered with the SuperLink");
    assert!(again.contains("node_id="), "{again}");
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    let outcome = flwr.run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1, calls [1]"]);
    federation.stop();
}

#[test]
fn a_supernode_finds_the_wire_again_when_another_superlink_takes_the_place() {
    let ours = Federation::plan(Security::Insecure).nodes(0).start();
    let theirs = Federation::plan(Security::Insecure).superlink(HTTP);
    let theirs = theirs.nodes(0).start();
    let current = Arc::new(Mutex::new(ours.fleet()));
    let upstream = Arc::clone(&current);
    let line = Forwarder::listen(move || *upstream.lock().unwrap());
    let mut moving = node(&ours, &line.address().to_string(), None);
    moving.line("the SuperLink speaks the wire of flwr 1.23 to 1.39, over gRPC");
    moving.line("registered with the SuperLink");
    for (next, wire) in [
        (theirs.fleet(), SPEAKS_HTTP),
        (ours.fleet(), "1.23 to 1.39, over gRPC"),
    ] {
        let seen = moving.lines().len();
        *current.lock().unwrap() = next;
        line.cut();
        let _ = moving.line_after(seen, wire);
    }
    moving.stop();
    theirs.stop();
    ours.stop();
}

#[test]
fn a_supernode_ends_with_a_sentence_where_a_superlink_serves_no_supernodes() {
    // The HTTP port of 1.36 serves apps and users, and its Fleet is gRPC on another port.
    let plan = Federation::plan(Security::Insecure).superlink(Maker::Pip(Release::V1_36));
    let federation = plan.nodes(0).start();
    let control = federation.control().to_string();
    let apps = federation.serverappio().to_string();
    for wrong in [control, apps] {
        let mut lost = node(&federation, &wrong, None);
        assert_eq!(lost.wait().code(), Some(1), "{}", lost.last_words());
        let words = lost.last_words();
        for part in [
            "not served",
            "--superlink must name the Fleet address",
            "8000",
        ] {
            assert!(words.contains(part), "{words}");
        }
    }
    federation.stop();
}

#[test]
fn a_check_of_the_configuration_walks_to_a_1_42_superlink() {
    for security in [Security::Insecure, Security::Tls] {
        let federation = Federation::plan(security).superlink(HTTP).nodes(0).start();
        let superlink = federation.fleet().to_string();
        let mut command = federation.node_command(OURS, "home-check");
        match federation.ca() {
            None => command.arg("--insecure"),
            Some(ca) => command.arg("--root-certificates").arg(ca),
        };
        command.args(["--check-config", "--superlink", &superlink]);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(text.contains("HTTP/1.1 in its place"), "{text}");
        federation.stop();
    }
}
