//! SuperNodes that join where Fleet asks for client certificates: at a port of its own they get theirs.

use std::fs;
use std::path::{Path, PathBuf};

use e2e::{Flwr, Maker, Process, Scratch, ports};
use flwr_client::channel::{Route, Trust, channel};
use flwr_client::line::{GrpcLine, Line as _, Nobody};
use flwr_core::id::NodeId;
use flwr_proto::join::{ListRequest, ListResponse};
use flwr_security::key::PrivateKey;
use flwr_security::pki::{NodeAuthority, node_request};
use flwr_security::tls::{ClientFiles, ClientTls, Identity};
use time::{Duration, OffsetDateTime};

use super::live::Live;
use super::{Scene, command, id_in};

/// A SuperLink with a CA for nodes.
struct Mutual {
    scene: Scene,
    ca: Scratch,
    join: u16,
}

impl Mutual {
    fn new() -> Self {
        let ca = Scratch::new();
        let made = Flwr::new(Maker::Ours, &ca).call(ca.path(), &["cert", "ca"]);
        made.success().must_say(&[]);
        let join = ports::free();
        let address = format!("127.0.0.1:{join}");
        let [certificate, key] = Self::files(&ca);
        let scene = Scene::with(&[
            "--node-ca-certfile",
            certificate.to_str().unwrap(),
            "--node-ca-keyfile",
            key.to_str().unwrap(),
            "--join-api-address",
            &address,
        ]);
        Self { scene, ca, join }
    }

    fn files(ca: &Scratch) -> [PathBuf; 2] {
        ["certificates/ca.crt", "certificates/ca.key"].map(|name| ca.path().join(name))
    }

    /// Two nodes that have joined.
    fn nodes(&self) -> [Process; 2] {
        let token = self.scene.token(2, 3600);
        ["one", "two"].map(|name| {
            let node = self.scene.node(name, &["--join", &token.text]);
            node.line("registered with the SuperLink");
            node
        })
    }

    /// A file of what a node remembers.
    fn file(&self, node: &str, name: &str) -> PathBuf {
        self.scene.home(node).join("supernode/joined").join(name)
    }

    /// The flags by which a node comes with these keys, and without a certificate.
    fn flags(&self, key: &Path) -> Vec<String> {
        let public = key.with_extension("pub");
        let private = PrivateKey::from_file(key).unwrap();
        fs::write(&public, private.public_key().to_openssh()).unwrap();
        [
            "--superlink",
            &self.scene.federation.fleet().to_string(),
            "--root-certificates",
            self.scene.federation.ca().unwrap().to_str().unwrap(),
            "--auth-supernode-private-key",
            key.to_str().unwrap(),
            "--auth-supernode-public-key",
            public.to_str().unwrap(),
            "--max-retries",
            "0",
        ]
        .map(ToOwned::to_owned)
        .to_vec()
    }

    /// What a SuperNode says that does not get in.
    #[track_caller]
    fn is_refused(&self, key: &Path, more: &[&str]) -> String {
        let flags = self.flags(key);
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let flags = [&flags, more].concat();
        let mut stranger = command(self.scene.scratch(), "stranger", &flags);
        let output = stranger.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

#[test]
fn nodes_get_a_certificate_where_they_join_and_run_with_it() {
    let mutual = Mutual::new();
    let token = mutual.scene.token(1, 3600);
    let address = format!("127.0.0.1:{}", mutual.join);
    let parsed: flwr_security::joining::JoinToken = token.text.parse().unwrap();
    assert_eq!(parsed.address.to_string(), address);
    let mut nodes = mutual.nodes();
    mutual.scene.runs(3);
    for node in &mut nodes {
        node.stop();
    }
    // The next start needs no flag: certificate and key are remembered.
    let mut nodes = ["one", "two"].map(|name| mutual.scene.node(name, &[]));
    for node in &nodes {
        let line = node.line("remembered: ");
        assert!(line.contains("client certificate"), "{line}");
        node.line("registered with the SuperLink");
    }
    mutual.scene.runs(2);

    // The key alone does not get in, nor does the certificate of another node with it.
    let key = mutual
        .scene
        .scratch()
        .file("stolen", fs::read(mutual.file("one", "key")).unwrap());
    let said = mutual.is_refused(&key, &[]);
    assert!(said.contains("certificate"), "{said}");
    let [other, other_key] = ["client.crt", "key"].map(|name| mutual.file("two", name));
    let said = mutual.is_refused(
        &key,
        &[
            "--client-certificate",
            other.to_str().unwrap(),
            "--client-key",
            other_key.to_str().unwrap(),
        ],
    );
    assert!(said.contains("is another than the caller"), "{said}");
    for node in &mut nodes {
        node.stop();
    }
}

#[test]
fn a_node_that_is_unregistered_is_cut_off_with_its_certificate() {
    let mut mutual = Mutual::new();
    let mut nodes = mutual.nodes();
    let id = id_in(&nodes[0].line("registered with the SuperLink"));
    let app = mutual.scene.app();
    let words = ["supernode", "unregister", &id, "e2e"];
    let flwr = mutual.scene.federation.flwr(Maker::Ours);
    flwr.call(&app.path, &words)
        .success()
        .must_say(&["unregistered successfully"]);
    nodes[0].line("is not good any more: its SuperNode was unregistered");
    let superlink = mutual.scene.federation.superlink();
    superlink.line("Fleet: the connection is ended, since its client's certificate is not good any more: its SuperNode was unregistered");
    // The other node is not concerned.
    let flwr = mutual.scene.federation.flwr(Maker::Ours);
    let outcome = flwr.run(&app, "rounds=2 nodes=1");
    outcome.success().must_say(&["round 2: mean 2.000 of 1"]);
    for node in &mut nodes {
        node.stop();
    }
}

#[test]
fn a_certificate_is_renewed_in_the_last_third_of_its_life() {
    let mutual = Mutual::new();
    let mut nodes = mutual.nodes();
    let id = id_in(&nodes[0].line("registered with the SuperLink"));
    nodes[0].stop();
    let [certificate, key] = Mutual::files(&mutual.ca);
    let authority = NodeAuthority::load(&certificate, &key).unwrap();
    let key = PrivateKey::from_file(&mutual.file("one", "key")).unwrap();
    let (request, node) = (node_request(&key).unwrap(), NodeId(id.parse().unwrap()));
    // Twenty-five of its thirty days are over.
    let long_ago = OffsetDateTime::now_utc() - Duration::days(25);
    let old = authority.issue(&request, key.public_key(), node, long_ago);
    let (old, file) = (old.unwrap(), mutual.file("one", "client.crt"));
    fs::write(&file, &old).unwrap();
    nodes[0] = mutual.scene.node("one", &[]);
    nodes[0].line("client certificate renewed, until ");
    assert_ne!(fs::read_to_string(&file).unwrap(), old);
    mutual.scene.runs(2);
    for node in &mut nodes {
        node.stop();
    }
}

#[test]
fn a_key_is_renewed_with_its_certificate_while_rounds_go_on() {
    let mutual = Mutual::new();
    let [key, certificate] = ["key", "client.crt"].map(|name| mutual.file("one", name));
    let Mutual { scene, ca, .. } = mutual;
    let live = Live::of(scene);
    let old = [&key, &certificate].map(|path| fs::read(path).unwrap());
    let seen = live.nodes[0].lines().len();
    let mut renew = Maker::Ours.command("flower-supernode");
    renew
        .args(["key", "renew"])
        .env("FLWR_HOME", live.scene.home("one"));
    let renewed = renew.output().unwrap();
    assert!(renewed.status.success(), "{renewed:?}");
    let new = [&key, &certificate].map(|path| fs::read(path).unwrap());
    assert!(new[0] != old[0] && new[1] != old[1]);
    live.nodes[0].line_after(seen, "registered again under the same id");
    live.ends_well();
    drop(ca);
}

#[test]
fn control_takes_no_nodes_certificate() {
    let mutual = Mutual::new();
    let mut nodes = mutual.nodes();
    let [certificate, key] = ["client.crt", "key"].map(|name| mutual.file("one", name));
    let identity = Some(Identity { certificate, key });
    let people = Scratch::new();
    let flwr = Flwr::new(Maker::Ours, &people);
    flwr.call(people.path(), &["cert", "ca"])
        .success()
        .must_say(&[]);
    let ca = people.path().join("certificates/ca.crt");
    let [node_ca, node_key] = Mutual::files(&mutual.ca);
    let asking = Scene::with(&[
        "--node-ca-certfile",
        node_ca.to_str().unwrap(),
        "--node-ca-keyfile",
        node_key.to_str().unwrap(),
        "--ssl-control-client-ca-certfile",
        ca.to_str().unwrap(),
    ]);
    let trust = ClientTls::load(ClientFiles {
        roots: asking.federation.ca().map(ToOwned::to_owned),
        identity,
        ..ClientFiles::default()
    });
    let control = ("127.0.0.1", asking.federation.control().port());
    let runtime = e2e::runtime();
    let refused = runtime.block_on(async {
        let channel = channel(control, &Trust::Tls(trust.unwrap()), &Route::Direct);
        let line = GrpcLine::new(channel, Nobody);
        let asked =
            line.call::<_, ListResponse>("/flower.join.JoinTokens/List", ListRequest {}, None);
        asked.await.unwrap_err()
    });
    let why = flwr_core::cause::chain(&refused);
    assert!(why.contains("certificate"), "{why}");
    for node in &mut nodes {
        node.stop();
    }
}
