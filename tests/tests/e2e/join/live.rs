//! Keys and authorities that change while rounds go on: no round fails.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use e2e::pki::{self, Flaw, Pki};
use e2e::{Maker, PATIENCE, Process};

use super::{Scene, command, id_in};

const ROUNDS: u32 = 40;

/// Two joined nodes, and a run that is under way.
pub(super) struct Live {
    pub(super) scene: Scene,
    pub(super) nodes: [Process; 2],
    run: Process,
}

impl Live {
    fn new() -> Self {
        Self::of(Scene::new())
    }

    pub(super) fn of(scene: Scene) -> Self {
        let token = scene.token(2, 3600);
        let nodes = ["one", "two"].map(|name| scene.node(name, &["--join", &token.text]));
        for node in &nodes {
            node.line("registered with the SuperLink");
        }
        let config = format!("rounds={ROUNDS} nodes=2");
        let flwr = scene.federation.flwr(Maker::Ours);
        let words = ["run", ".", "e2e", "--stream", "--run-config", &config];
        let run = flwr.spawn(&scene.app().path, &words);
        run.line("round 3: mean 3.000 of 2");
        Self { scene, nodes, run }
    }

    /// Has the SuperLink and the nodes read and ask again until both nodes have said this: a node asks
    /// what the SuperLink has read.
    #[track_caller]
    fn until_nodes_say(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.nodes.iter().all(|node| node.has_said(text)) {
            let words = self.nodes[0].last_words();
            assert!(Instant::now() < deadline, "{text:?} was not said:\n{words}");
            self.scene.federation.superlink().reload();
            for node in &self.nodes {
                node.reload();
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits for the last round; each had an answer of both nodes.
    #[track_caller]
    pub(super) fn ends_well(mut self) {
        self.run.line("finished");
        let status = self.run.wait();
        let said = self.run.all_lines();
        assert!(status.success(), "{}", self.run.last_words());
        for round in 1..=ROUNDS {
            let line = format!("round {round}: mean {round}.000 of 2, calls [{round}, {round}]");
            let found = said.iter().filter(|said| said.contains(&line)).count();
            assert_eq!(found, 1, "{line} in {said:#?}");
        }
        for node in &mut self.nodes {
            node.stop();
        }
    }
}

#[test]
fn a_key_is_renewed_while_rounds_go_on_and_the_old_one_ends() {
    let live = Live::new();
    let scene = &live.scene;
    let key = scene.home("one").join("supernode/joined/key");
    let old = fs::read(&key).unwrap();
    let id = id_in(&live.nodes[0].line("registered with the SuperLink"));
    let seen = live.nodes[0].lines().len();

    let mut renew = Maker::Ours.command("flower-supernode");
    renew
        .args(["key", "renew"])
        .env("FLWR_HOME", scene.home("one"));
    let renewed = renew.output().unwrap();
    let told = String::from_utf8_lossy(&renewed.stdout);
    assert!(renewed.status.success(), "{renewed:?}");
    assert!(
        told.contains(&format!("node {id} has key SHA256:")),
        "{told}"
    );
    assert_ne!(fs::read(&key).unwrap(), old);

    live.nodes[0].line_after(seen, "the enrolment's key read again");
    let again = live.nodes[0].line_after(seen, "registered again under the same id");
    assert_eq!(id_in(&again), id);

    // The old key opens nothing any more.
    let stolen = scene.scratch().file("old-key", old);
    let public = scene.scratch().path().join("old-key.pub");
    let private = flwr_security::key::PrivateKey::from_file(&stolen).unwrap();
    fs::write(&public, private.public_key().to_openssh()).unwrap();
    let flags = [
        "--superlink",
        &scene.federation.fleet().to_string(),
        "--root-certificates",
        scene.federation.ca().unwrap().to_str().unwrap(),
        "--auth-supernode-private-key",
        stolen.to_str().unwrap(),
        "--auth-supernode-public-key",
        public.to_str().unwrap(),
        "--max-retries",
        "0",
    ];
    let output = command(scene.scratch(), "thief", &flags).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    live.ends_well();
}

#[test]
fn a_second_authority_takes_over_while_rounds_go_on() {
    let mut live = Live::new();
    let scratch = live.scene.scratch().path().to_owned();
    let second = pki::make(&scratch.join("second"), Flaw::None);
    let ca = live.scene.federation.ca().unwrap().to_owned();
    let (certificate, key) = live.scene.federation.server_files();
    let now = Pki {
        ca: ca.clone(),
        certificate: certificate.to_owned(),
        key: key.to_owned(),
    };
    let (old_ca, new_ca) = (
        fs::read_to_string(&ca).unwrap(),
        fs::read_to_string(&second.ca).unwrap(),
    );
    // Both authorities: the nodes learn the second.
    fs::write(&now.ca, old_ca.clone() + &new_ca).unwrap();
    live.until_nodes_say("trusts another authority, which the SuperLink names");
    for node in &live.nodes {
        node.line("the enrolment's trust read again");
    }
    // A certificate of the second, which the SuperLink then names alone.
    fs::write(&now.ca, new_ca.clone() + &old_ca).unwrap();
    fs::copy(&second.key, &now.key).unwrap();
    fs::copy(&second.certificate, &now.certificate).unwrap();
    fs::write(&now.ca, new_ca).unwrap();
    live.until_nodes_say("trusts an authority no longer, which the SuperLink does not name");
    live.ends_well();
}
