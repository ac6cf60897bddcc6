//! Our `flwr` at SuperLinks of flwr 1.23 to 1.36.

use std::fs;

use e2e::keys::NodeKey;
use e2e::{App, Federation, Flwr, Maker, PATIENCE, Release, Security};
use serde_json::Value;

const OURS: Maker = Maker::Ours;
/// SuperLinks of this release want the name of the federation, and lay it out in another way.
const NAMED: Release = Release::V1_25;

pub(crate) fn json(flwr: Flwr<'_>, app: &App, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--format", "json"]);
    let said = flwr.call(&app.path, &all).success().text;
    let begin = said.find('{').unwrap_or_else(|| panic!("{all:?}: {said}"));
    serde_json::from_str(&said[begin..]).unwrap_or_else(|error| panic!("{all:?} ({error}): {said}"))
}

pub(crate) fn registers_lists_and_unregisters(flwr: Flwr<'_>, app: &App, federation: &Federation) {
    let key = NodeKey::make(&federation.scratch().path().join("more"), "node");
    let key = key.public.to_str().unwrap();
    let register = ["supernode", "register", key, "e2e"];
    let registered = json(flwr, app, &register);
    let id = registered["node-id-text"].as_str().unwrap().to_owned();
    let told = flwr.call(&app.path, &register).failure(1);
    assert!(
        told.text.to_lowercase().contains("already in use"),
        "{}",
        told.text
    );
    let status = || {
        let listed = json(flwr, app, &["supernode", "list", ".", "e2e"]);
        let nodes = listed["nodes"].as_array().unwrap().clone();
        let node = nodes
            .into_iter()
            .find(|node| node["node-id"].as_str() == Some(&id));
        node.unwrap()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status(), "registered");
    let unregister = ["supernode", "unregister", &id, "e2e"];
    flwr.call(&app.path, &unregister)
        .success()
        .must_say(&["unregistered successfully"]);
    assert_eq!(status(), "unregistered");
    flwr.call(&app.path, &unregister)
        .failure(1)
        .must_say(&["the SuperLink refused"]);
}

#[test]
fn our_command_runs_lists_stops_and_registers_at_superlinks_of_later_releases() {
    for release in [Release::V1_23, NAMED, Release::V1_31, Release::V1_36] {
        let federation = Federation::plan(Security::Tls)
            .superlink(Maker::Pip(release))
            .nodes(0)
            .start();
        let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
        let run = flwr.start(&app, "rounds=1");
        assert!(flwr.statuses(&app).contains_key(&run));
        flwr.call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
            .success()
            .must_say(&["successfully stopped"]);
        assert_eq!(flwr.status(&app, run), "finished:stopped");
        flwr.call(&app.path, &["stop", &run.to_string(), ".", "e2e"])
            .failure(1)
            .must_say(&["already finished"]);
        flwr.call(&app.path, &["log", "7", ".", "e2e", "--show"])
            .failure(1)
            .must_say(&["Run ID not found"]);
        registers_lists_and_unregisters(flwr, &app, &federation);
        let list = ["federation", "list", ".", "e2e"];
        if release == Release::V1_23 {
            flwr.call(&app.path, &list)
                .failure(1)
                .must_say(&["The SuperLink cannot process this request"]);
        } else {
            let (id, member) = match release == NAMED {
                true => ("default", "<id:none>"),
                false => ("@none/default", "none"),
            };
            let listed = json(flwr, &app, &list);
            assert_eq!(listed["federations"][0]["id"], id, "{listed}");
            let show = ["federation", "list", ".", "e2e", "--federation", id];
            let shown = json(flwr, &app, &show);
            assert_eq!(
                shown["federation"]["members"][0]["member_id"], member,
                "{shown}"
            );
            let other = ["run", ".", "e2e", "--federation", "@none/other"];
            flwr.call(&app.path, &other)
                .failure(1)
                .must_say(&["ederation"]);
        }
    }
}

/// Nodes of flwr 1.25 and later tell how long their ClientApps worked, and commands of these releases
/// show the sum.
#[test]
fn the_time_of_clientapps_adds_up() {
    for node in [OURS, Maker::Pip(Release::V1_31)] {
        let plan = Federation::plan(Security::Insecure).supernodes([node]);
        let federation = plan.start();
        let app = federation.app("mean");
        let outcome = federation.flwr(OURS).run(&app, "rounds=1 nodes=1");
        let _ = outcome.success();
        let listed = json(
            federation.flwr(Maker::Pip(Release::V1_31)),
            &app,
            &["list", "e2e"],
        );
        let used = &listed["runs"][0]["compute-time"];
        let seconds = used["clientapp-seconds"].as_f64().unwrap();
        assert!(
            seconds > 0.0 && seconds < PATIENCE.as_secs_f64(),
            "{listed}"
        );
        federation.stop();
    }
}

#[test]
fn our_command_registers_at_ours() {
    let federation = Federation::plan(Security::Insecure).nodes(0).start();
    let (app, flwr) = (federation.app("mean"), federation.flwr(OURS));
    registers_lists_and_unregisters(flwr, &app, &federation);
    let show = [
        "federation",
        "list",
        ".",
        "e2e",
        "--federation",
        "@none/default",
    ];
    let shown = json(flwr, &app, &show);
    assert_eq!(
        shown["federation"]["members"][0]["role"], "owner",
        "{shown}"
    );
    let other = ["run", ".", "e2e", "--federation", "@none/other"];
    flwr.call(&app.path, &other)
        .failure(1)
        .must_say(&["Federation '@none/other' does not exist"]);
    federation.stop();
}

/// Our command and pip's share one file: what ours keeps there, pip's finds by name and as the
/// default, and leaves as it is.
#[test]
fn a_kept_federation_is_read_by_the_flwr_of_later_releases() {
    let federation = Federation::plan(Security::Tls).nodes(0).start();
    let scratch = federation.scratch();
    let home = scratch.folder("home-flwr").join("config.toml");
    let ours = Flwr::new(OURS, scratch);
    let control = federation.control().to_string();
    let add = [
        "federation",
        "add",
        "lab",
        "--default",
        "--address",
        &control,
    ];
    let trust = [
        "--root-certificates",
        federation.ca().unwrap().to_str().unwrap(),
    ];
    let _ = ours
        .call(scratch.path(), &[&add[..], &trust].concat())
        .success();
    let kept = fs::read_to_string(&home).unwrap();
    let makers = [Release::V1_26, Release::V1_31, Release::V1_42].map(Maker::Pip);
    for maker in makers.into_iter().chain([OURS]) {
        let flwr = Flwr::new(maker, scratch);
        for words in [&["ls"][..], &["ls", "lab"]] {
            flwr.call(scratch.path(), words)
                .success()
                .must_say(&["Listing all runs"]);
        }
        assert_eq!(fs::read_to_string(&home).unwrap(), kept, "{maker:?}");
    }
    federation.stop();
}
