//! What a SuperNode remembers of its enrolment: the next start needs no flags.

use e2e::{Maker, Outcome};

use super::{Scene, ends, id_in};

#[test]
fn two_nodes_join_with_one_line_each_do_a_run_and_come_back_without_flags() {
    let mut scene = Scene::new();
    let app = scene.app();
    let words = ["supernode", "join-token", "new", "e2e", "--uses", "2"];
    let printed = scene.federation.flwr(Maker::Ours).call(&app.path, &words);
    let printed = printed.success().text;
    let mut lines = printed
        .lines()
        .filter_map(|line| line.split_once("flower-supernode "));
    let (_, flags) = lines.next().unwrap();
    let flags: Vec<_> = flags.split_whitespace().collect();
    let names = ["one", "two"];
    let mut nodes = names.map(|name| scene.node(name, &flags));
    let ids = nodes.each_ref().map(|node| {
        node.line("joined; the next start needs no flags");
        id_in(&node.line("registered with the SuperLink"))
    });
    assert_ne!(ids[0], ids[1]);
    scene.runs(2);
    for node in &mut nodes {
        node.stop();
    }

    // Neither flags nor token: the same nodes.
    let mut nodes = names.map(|name| scene.node(name, &[]));
    let again = nodes.each_ref().map(|node| {
        node.line("remembered: node");
        id_in(&node.line("registered with the SuperLink"))
    });
    assert_eq!(again, ids);
    scene.runs(2);

    let home = scene.home("one");
    let mut doctor = Maker::Ours.command("flwr");
    doctor.args(["doctor", "e2e"]).current_dir(&app.path);
    let told = Outcome::from(doctor.env("FLWR_HOME", home).output().unwrap());
    told.must_say(&[&format!("node {} of", ids[0])]);
    for node in &mut nodes {
        node.stop();
    }
    scene.federation.superlink().stop();
}

#[test]
fn the_same_token_is_harmless_another_is_wrong_usage_and_rejoin_replaces() {
    let scene = Scene::new();
    let (first, second) = (scene.token(1, 3600), scene.token(1, 3600));
    let joins = |flags: &[&str]| {
        let mut node = scene.node("node", flags);
        let id = id_in(&node.line("registered with the SuperLink"));
        node.stop();
        id
    };
    let id = joins(&["--join", &first.text]);
    assert_eq!(joins(&["--join", &first.text]), id);
    let said = ends(scene.node("node", &["--join", &second.text]), 2);
    for part in ["--rejoin", &first.id, &second.id] {
        assert!(said.contains(part), "{said}");
    }

    // A token that is refused leaves the enrolment alone.
    let revoked = scene.token(1, 3600);
    scene.revoke(&revoked);
    let flags = ["--join", &revoked.text, "--rejoin"];
    let said = ends(scene.node("node", &flags), 1);
    assert!(said.contains("revoked"), "{said}");
    assert_eq!(joins(&[]), id);

    let other = joins(&["--join", &second.text, "--rejoin"]);
    assert_ne!(other, id);
    assert_eq!(joins(&[]), other);
}

/// The answer to a join may be lost: the node that tries again has the same key.
#[test]
fn a_node_that_is_killed_while_it_joins_uses_its_token_once() {
    let scene = Scene::new();
    let token = scene.token(1, 3600);
    let mut node = scene.node("node", &["--join", &token.text]);
    let id = id_in(&node.line("registered with the SuperLink"));
    node.kill();
    // As if the answer had not come: the key is there, and nothing else.
    let folder = scene.home("node").join("supernode");
    let pending = folder.join(format!("joining-{}", token.id));
    std::fs::rename(folder.join("joined"), &pending).unwrap();
    std::fs::remove_file(pending.join("joined.json")).unwrap();
    let mut node = scene.node("node", &["--join", &token.text]);
    assert_eq!(id_in(&node.line("registered with the SuperLink")), id);
    node.stop();
}
