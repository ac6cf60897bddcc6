//! What a joining SuperNode is refused, and what it says then. Status 2: nothing was asked of a
//! SuperLink; status 1: the SuperLink refused.

use std::fs;
use std::net::TcpListener;

use e2e::Scratch;
use flwr_client::joined::Enrolments;
use flwr_security::joining::{JoinToken, Pin};

use super::{Scene, command, ends, start};

#[test]
fn texts_that_are_no_token_are_wrong_usage() {
    let scratch = Scratch::new();
    let address = "127.0.0.1:1".parse().unwrap();
    let token = JoinToken::issue(Pin([7; 32]), address).unwrap().reveal();
    let cut = &token[..token.len() - 3];
    let mut altered = token.to_string();
    altered.replace_range(30..31, if &token[30..31] == "A" { "B" } else { "A" });
    let foreign = scratch.file("foreign", "-----BEGIN CERTIFICATE-----\n");
    let half = scratch.file("half", cut);
    for (flags, part) in [
        (
            vec!["--join", cut],
            "--join TOKEN: the join token was cut or altered",
        ),
        (
            vec!["--join", &altered],
            "--join TOKEN: the join token was cut or altered",
        ),
        (vec!["--join", half.to_str().unwrap()], "cut or altered"),
        (
            vec!["--join", foreign.to_str().unwrap()],
            "flwr supernode join-token new",
        ),
        (vec!["--join", "no-such-file"], "no-such-file"),
        // Standard input is empty.
        (vec!["--join", "-"], "flwr supernode join-token new"),
        (
            vec!["--join", &token, "--until-stdin-closes"],
            "--join FILE",
        ),
        (vec!["--join", "-", "--until-stdin-closes"], "--join FILE"),
        (vec!["--join", &token, "--insecure"], "--insecure"),
        (vec!["--rejoin"], "--join"),
    ] {
        let said = ends(start(&scratch, "node", &flags), 2);
        assert!(said.contains(part), "{flags:?}: {said}");
    }
    assert!(!scratch.folder("home-node").join("supernode").exists());
}

/// Joins with a token that the SuperLink refuses.
#[track_caller]
fn refused(scene: &Scene, name: &str, token: &str, part: &str) {
    let said = ends(scene.node(name, &["--join", token]), 1);
    assert!(said.contains(part), "{said}");
    let enrolments = Enrolments::below(&scene.home(name));
    assert_eq!(enrolments.joined().unwrap(), None);
}

#[test]
fn used_revoked_expired_and_unknown_tokens_are_refused() {
    let scene = Scene::new();
    let token = scene.token(1, 3600);
    let mut first = scene.node("first", &["--join", &token.text]);
    first.line("registered with the SuperLink");
    refused(&scene, "used", &token.text, "used up");

    let token = scene.token(1, 3600);
    scene.revoke(&token);
    refused(&scene, "revoked", &token.text, "revoked");

    // The right authority, and a secret that the SuperLink never gave out.
    let real: JoinToken = scene.token(1, 3600).text.parse().unwrap();
    let made_up = JoinToken::issue(real.pin, real.address).unwrap();
    refused(
        &scene,
        "unknown",
        &made_up.reveal(),
        "does not know this join token",
    );
    first.stop();
}

#[test]
fn an_expired_token_is_refused() {
    let scene = Scene::new();
    let token = scene.token(20, 1);
    // A node that comes in the token's second joins; one that comes later does not.
    let said = (0..20).find_map(|number| {
        let mut node = scene.node(&format!("node-{number}"), &["--join", &token.text]);
        let line = node.line_where("an outcome", |line| {
            line.contains("joined; the next start") || line.contains("error:")
        });
        let failed = line.contains("error:").then_some(line);
        node.kill();
        failed
    });
    let said = said.unwrap();
    assert!(said.contains("expired"), "{said}");
}

#[test]
fn a_token_is_not_used_by_a_node_whose_port_is_taken() {
    let scene = Scene::new();
    let token = scene.token(1, 3600);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for port in ["--clientappio-api-address", "--health-server-address"] {
        let flags = ["--join", &token.text, port, &address];
        let said = ends(scene.node("taken", &flags), 1);
        assert!(said.contains("is already in use"), "{said}");
        assert!(said.contains(port), "{said}");
    }
    // The key of another node: the token has its use yet.
    let mut node = scene.node("other", &["--join", &token.text]);
    node.line("registered with the SuperLink");
    node.stop();
}

#[test]
fn a_token_that_cannot_be_used_at_this_address_says_so() {
    let scene = Scene::new();
    let real: JoinToken = scene.token(1, 3600).text.parse().unwrap();
    // Control's port has no service for nodes.
    let control = scene.federation.control().to_string();
    let elsewhere = JoinToken {
        address: control.parse().unwrap(),
        ..real
    };
    let said = ends(scene.node("node", &["--join", &elsewhere.reveal()]), 1);
    assert!(said.contains("must be that of Fleet"), "{said}");
    // The token was not used: the flag sets the address right.
    let fleet = scene.federation.fleet().to_string();
    let flags = ["--join", &elsewhere.reveal(), "--superlink", &fleet];
    let mut node = scene.node("node", &flags);
    node.line("registered with the SuperLink");
    node.stop();
}

#[test]
fn a_check_uses_no_token_and_tells_of_it() {
    let scene = Scene::new();
    let token = scene.token(1, 3600);
    let file = scene.scratch().file("token", &token.text);
    let join = ["--join", file.to_str().unwrap()];
    let checked = |flags: &[&str]| {
        let mut command = command(scene.scratch(), "node", flags);
        let output = command.arg("--check-config").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let said = checked(&join);
    assert!(
        said.contains(&format!("joins with token {}", token.id)),
        "{said}"
    );
    let mut node = scene.node("node", &join);
    node.line("registered with the SuperLink");
    node.stop();
    let said = checked(&[]);
    assert!(
        said.contains(&format!("joined with token {}", token.id)),
        "{said}"
    );
    assert!(said.contains("takes this node's key"), "{said}");
    fs::remove_file(file).unwrap();
}
