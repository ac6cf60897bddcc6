//! `flwr supernode join-token`: what it prints is what a data owner types.

use e2e::Maker;
use serde_json::Value;

use super::{PREFIX, Scene, id_in};

impl Scene {
    /// The answer of a command, as scripts read it.
    #[track_caller]
    fn json(&self, words: &[&str]) -> Value {
        let words = [&["supernode"], words, &["e2e", "--format", "json"]].concat();
        let flwr = self.federation.flwr(Maker::Ours);
        let outcome = flwr.call(&self.app().path, &words).success();
        let text = &outcome.text;
        let (from, to) = (text.find('{').unwrap(), text.rfind('}').unwrap());
        serde_json::from_str(&text[from..=to]).unwrap()
    }

    fn tokens(&self) -> Vec<Value> {
        let listed = self.json(&["join-token", "list"]);
        listed["tokens"].as_array().unwrap().clone()
    }
}

#[test]
fn the_printed_line_joins_a_named_node_which_is_unregistered_at_once() {
    let scene = Scene::new();
    let flwr = scene.federation.flwr(Maker::Ours);
    let app = scene.app();
    let new = ["supernode", "join-token", "new", "e2e", "--name", "ward-7"];
    let printed = flwr.call(&app.path, &new).success();
    printed.must_say(&["one SuperNode joins with it within 1h"]);
    let line = printed
        .text
        .lines()
        .find(|line| line.contains(PREFIX))
        .unwrap();
    let words: Vec<_> = line.split(' ').collect();
    let ["flower-supernode", "--join", token] = words[..] else {
        panic!("{line}")
    };
    let node = scene.node("one", &["--join", token]);
    let id = id_in(&node.line("registered with the SuperLink"));

    let [listed] = &scene.tokens()[..] else {
        panic!("one token was made")
    };
    assert_eq!(listed["status"], "used up");
    assert_eq!(listed["node-ids"][0], *id);
    let nodes = scene.json(&["list", "."]);
    assert_eq!(nodes["nodes"][0]["node-id"], *id);
    assert_eq!(nodes["nodes"][0]["name"], "ward-7");
    assert_eq!(nodes["nodes"][0]["status"], "online");

    scene.json(&["unregister", &id]);
    node.line("All SuperNodes must be registered");
    let again = super::ends(scene.node("two", &["--join", token]), 1);
    assert!(again.contains("used up"), "{again}");
}

#[test]
fn a_token_that_was_revoked_is_listed_so_and_joins_nobody() {
    let scene = Scene::new();
    let made = scene.json(&["join-token", "new", "--uses", "3", "--ttl", "2h"]);
    let (token, id) = (made["token"].as_str().unwrap(), made["token-id"].as_str());
    let id = id.unwrap();
    assert_eq!((&made["uses"], &made["uses-left"]), (&3.into(), &3.into()));
    let command = format!("flower-supernode --join {token}");
    assert_eq!(made["command"], *command);
    let node = scene.node("first", &["--join", token]);
    let joined = id_in(&node.line("registered with the SuperLink"));
    let flwr = scene.federation.flwr(Maker::Ours);
    let words = ["supernode", "unregister", &joined, "e2e"];
    let outcome = flwr.call(&scene.app().path, &words).success();
    let way_out = format!("`flwr supernode join-token revoke {id}`");
    outcome.must_say(&["2 of 3 uses are left", &way_out]);
    scene.json(&["join-token", "revoke", id]);
    assert_eq!(scene.tokens()[0]["status"], "revoked");
    let said = super::ends(scene.node("one", &["--join", token]), 1);
    assert!(said.contains("revoked"), "{said}");
}

#[test]
fn a_host_that_the_certificate_does_not_name_is_refused_with_the_way_out() {
    let scene = Scene::new();
    let flwr = scene.federation.flwr(Maker::Ours);
    let app = scene.app();
    let new = ["supernode", "join-token", "new", "e2e", "--address"];
    let refused = flwr.call(&app.path, &[&new[..], &["superlink.example:9092"]].concat());
    refused
        .failure(1)
        .must_say(&["--address HOST:PORT", "localhost"]);
    assert_eq!(scene.tokens(), [] as [Value; 0]);
}

#[test]
fn a_superlink_at_which_nobody_registers_nodes_makes_no_token() {
    let plan = e2e::Federation::plan(e2e::Security::Tls).nodes(0);
    let federation = plan.start();
    let app = federation.app("mean");
    let new = ["supernode", "join-token", "new", "e2e"];
    let refused = federation.flwr(Maker::Ours).call(&app.path, &new);
    refused.failure(1).must_say(&["--enable-supernode-auth"]);
}
