//! Mutual TLS: set up with openssl as old guides have it, and with `flwr cert`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::federation::wait_for;
use e2e::pki::SERVER_FLAGS;
use e2e::{App, Flwr, Maker, Process, Scratch, ports, tools};
use serde_json::{Value, json};

const OURS: Maker = Maker::Ours;

/// How the server's owner sets up both sides. The passphrase and the names, which openssl would
/// ask for, are added.
pub(crate) const OPENSSL: [&str; 8] = [
    "openssl genrsa -des3 -passout pass:secret -out rootCA.key 2048",
    "openssl req -x509 -new -nodes -key rootCA.key -sha256 -days 1024 -out rootCA.pem -passin pass:secret -subj /CN=Root",
    "openssl genrsa -out server.key 2048",
    "openssl req -new -key server.key -out server.csr -subj /CN=localhost",
    "openssl x509 -req -in server.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out server.crt -days 500 -sha256 -passin pass:secret",
    "openssl genrsa -out client.key 2048",
    "openssl req -new -key client.key -out client.csr -subj /O=Hospital/CN=node-1",
    "openssl x509 -req -in client.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out client.crt -days 500 -sha256 -passin pass:secret",
];

/// The same for a user.
const OPENSSL_USER: [&str; 3] = [
    "openssl genrsa -out user.key 2048",
    "openssl req -new -key user.key -out user.csr -subj /O=Hospital/CN=alice",
    "openssl x509 -req -in user.csr -CA rootCA.pem -CAkey rootCA.key -CAcreateserial -out user.crt -days 500 -sha256 -passin pass:secret",
];

/// A SuperLink that asks for certificates, in a folder of its own, and those who come to it.
pub(crate) struct Scene {
    pub(crate) scratch: Scratch,
    pub(crate) fleet: SocketAddr,
    control: SocketAddr,
    serverappio: SocketAddr,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let free = || SocketAddr::from(([127, 0, 0, 1], ports::free()));
        Self {
            scratch: Scratch::new(),
            fleet: free(),
            control: free(),
            serverappio: free(),
        }
    }

    /// What openssl makes, in the places where the configuration looks for it.
    fn from_openssl() -> Self {
        let scene = Self::new();
        let made = scene.scratch.folder("made");
        for line in OPENSSL {
            tools::run(&made, line);
        }
        for (side, files) in [
            ("link", ["server.key", "server.crt"]),
            ("node", ["client.key", "client.crt"]),
        ] {
            let folder = scene.scratch.folder(&format!("{side}/data/certificates"));
            for file in files.iter().chain(&["rootCA.pem"]) {
                fs::copy(made.join(file), folder.join(file)).unwrap();
            }
        }
        scene
    }

    /// A CA, a server, a SuperNode and another client, made by `flwr cert`.
    pub(crate) fn from_flwr_cert() -> Self {
        let scene = Self::new();
        scene.make("cert ca");
        scene.make("cert server");
        for (name, usage) in [("node-1", "node"), ("node-2", "client")] {
            scene.make(&format!("cert request --name {name} --out {name}"));
            scene.make(&format!("cert sign {name}.csr --use {usage}"));
        }
        scene
    }

    /// `flwr <line>`, in the scene's folder.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub(crate) fn make(&self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        let flwr = Flwr::new(OURS, &self.scratch);
        flwr.call(self.scratch.path(), &words)
            .success()
            .must_say(&[]);
    }

    /// Starts a SuperLink of ours in `folder`.
    pub(crate) fn superlink(&self, folder: &str, flags: &[&str]) -> Process {
        let mut command = OURS.command("flower-superlink");
        command.current_dir(self.scratch.folder(folder)).args(flags);
        command.env("FLWR_HOME", self.scratch.folder("home-superlink"));
        for (flag, address) in [
            ("--fleet-api-address", self.fleet),
            ("--control-api-address", self.control),
            ("--serverappio-api-address", self.serverappio),
        ] {
            command.args([flag, &address.to_string()]);
        }
        // Tests that run at once would compete for the usual one.
        command.args(["--port", "0"]);
        let mut superlink = Process::start("superlink", &mut command, self.scratch.path());
        for address in [self.fleet, self.control, self.serverappio] {
            wait_for(address, &mut superlink);
        }
        superlink
    }

    /// A SuperLink that asks for certificates as `flwr cert` has made them.
    pub(crate) fn asking(&self, flags: &[&str]) -> Process {
        let clients = ["--ssl-client-ca-certfile", "certificates/ca.crt"];
        self.superlink(".", &[&SERVER_FLAGS[..], &clients, flags].concat())
    }

    fn node_command(&self, folder: &str, flags: &[&str]) -> Command {
        let mut command = OURS.command("flower-supernode");
        command.current_dir(self.scratch.folder(folder)).args(flags);
        let home = format!("home-{}", flags.last().unwrap_or(&"node").replace('/', "-"));
        command.env("FLWR_HOME", self.scratch.folder(&home));
        command.args(["--superlink", &self.fleet.to_string()]);
        command.args(["--clientappio-api-address", "127.0.0.1:0"]);
        command.args(["--node-config", "value=1.0"]);
        command
    }

    /// Starts a SuperNode of ours in `folder`.
    pub(crate) fn node(&self, folder: &str, flags: &[&str]) -> Process {
        let mut command = self.node_command(folder, flags);
        Process::start("node", &mut command, self.scratch.path())
    }

    /// A SuperNode that shows one of the certificates of `flwr cert`.
    pub(crate) fn named_node(&self, name: &str) -> Process {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.key"));
        let flags = [
            "--root-certificates",
            "certificates/ca.crt",
            "--client-certificate",
            &certificate,
            "--client-key",
            &key,
        ];
        self.node(".", &flags)
    }

    /// An app whose federation is this one, with further settings.
    pub(crate) fn app(&self, settings: &str) -> App {
        let app = App::copy("mean", &self.scratch.folder("apps"));
        let project = app.path.join("pyproject.toml");
        let text = fs::read_to_string(&project).unwrap();
        let control = self.control;
        let section = format!(
            "\n[tool.flwr.federations]\ndefault = \"e2e\"\n\n\
             [tool.flwr.federations.e2e]\naddress = \"{control}\"\n{settings}\n"
        );
        fs::write(&project, text + &section).unwrap();
        app
    }

    pub(crate) fn flwr(&self) -> Flwr<'_> {
        Flwr::new(OURS, &self.scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The settings of a user with a certificate that `flwr cert` has made.
    pub(crate) fn user(&self, name: &str) -> String {
        let shown = |file: &str| self.path(file).display().to_string();
        format!(
            "root-certificates = \"{}\"\nclient-certificate = \"{}\"\nclient-key = \"{}\"",
            shown("certificates/ca.crt"),
            shown(&format!("{name}.crt")),
            shown(&format!("{name}.key"))
        )
    }

    /// The SuperNodes as `flwr supernode list` tells them.
    #[track_caller]
    pub(crate) fn nodes(&self, app: &App) -> Vec<Value> {
        let outcome = self.flwr().call(
            &app.path,
            &["supernode", "list", ".", "e2e", "--format", "json"],
        );
        let answer: Value = serde_json::from_str(&outcome.success().text).unwrap();
        answer["nodes"].as_array().unwrap().clone()
    }
}

fn write_json(path: &Path, content: &Value) {
    fs::write(path, content.to_string()).unwrap();
}

#[test]
fn the_openssl_way_works_as_it_is_written() {
    let scene = Scene::from_openssl();
    let secure = json!({"use_secure_connection": true});
    write_json(&scene.path("link/config.json"), &secure);
    // The certificate is for localhost, and the address is 127.0.0.1.
    let named = json!({
        "use_secure_connection": true,
        "ssl_private_key": "data/certificates/client.key",
        "ssl_cert": "data/certificates/client.crt",
        "ssl_root_cert": "data/certificates/rootCA.pem",
        "options": [["grpc.ssl_target_name_override", "localhost"]],
    });
    write_json(&scene.path("node/config.json"), &named);
    let mut superlink = scene.superlink("link", &["--config", "config.json"]);
    let mut node = scene.node("node", &["--config", "config.json"]);
    superlink.line("subject=\"O=Hospital, CN=node-1\"");
    let made = scene.path("made");
    for line in OPENSSL_USER {
        tools::run(&made, line);
    }
    let app = |name: &str| {
        let made = made.display();
        scene.app(&format!(
            "root-certificates = \"{made}/rootCA.pem\"\nclient-certificate = \"{made}/{name}.crt\"\n\
             client-key = \"{made}/{name}.key\"\nserver-name = \"localhost\"\nssl-allow-legacy-certificates = true"
        ))
    };
    // The SuperNode's certificate is nobody's key to Control.
    let as_node = app("client");
    let outcome = scene.flwr().call(&as_node.path, &["ls", ".", "e2e"]);
    outcome
        .failure(1)
        .must_say(&["O=Hospital, CN=node-1 is a SuperNode's"]);
    let app = app("user");
    let outcome = scene.flwr().run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1", "finished"]);
    let nodes = scene.nodes(&app);
    assert_eq!(nodes[0]["certificate"], "O=Hospital, CN=node-1");
    assert_eq!(nodes[0]["status"], "online");
    node.stop();
    superlink.stop();
}

#[test]
fn the_same_in_toml_with_flags_that_win() {
    let scene = Scene::from_openssl();
    let toml = "use_secure_connection = true\nlog-format = \"json\"\n";
    fs::write(scene.path("link/config.toml"), toml).unwrap();
    let toml = "use_secure_connection = true\nmax-retries = 3\noptions = [[\"grpc.ssl_target_name_override\", \"elsewhere\"]]\n";
    fs::write(scene.path("node/config.toml"), toml).unwrap();
    let flags = ["--config", "config.toml", "--server-name", "localhost"];
    let mut superlink = scene.superlink("link", &["--config", "config.toml"]);
    let mut node = scene.node("node", &flags);
    node.line("registered with the SuperLink");
    superlink.line("\"subject\":\"O=Hospital, CN=node-1\"");
    node.stop();
    superlink.stop();
}

#[test]
fn certificates_of_old_form_are_refused_where_nobody_allows_them() {
    let scene = Scene::from_openssl();
    let folder = scene.scratch.folder("link");
    let own = [
        "--ssl-ca-certfile",
        "data/certificates/rootCA.pem",
        "--ssl-certfile",
        "data/certificates/server.crt",
        "--ssl-keyfile",
        "data/certificates/server.key",
    ];
    let mut refused = Process::start(
        "refused",
        OURS.command("flower-superlink")
            .current_dir(&folder)
            .args(own),
        scene.scratch.path(),
    );
    assert_eq!(refused.wait().code(), Some(2));
    refused.line("data/certificates/server.crt: it is an X.509 v1 certificate");
    assert!(refused.has_said("flwr cert sign"));

    // With it allowed, a client still has its own word.
    let allowed = [&own[..], &["--ssl-allow-legacy-certificates"]].concat();
    let mut superlink = scene.superlink("link", &allowed);
    superlink.line("only clients that allow legacy certificates will accept it");
    let strict = ["--root-certificates", "data/certificates/rootCA.pem"];
    let strict = scene.node(
        "node",
        &[&strict[..], &["--server-name", "localhost"]].concat(),
    );
    strict.line("certificate CN=localhost: it is of X.509 version 1");
    superlink.stop();
}

#[test]
fn who_shows_no_certificate_is_told_what_is_asked_for() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    let nobody = scene.node(".", &["--root-certificates", "certificates/ca.crt"]);
    nobody.line("it asks for a client certificate: give --client-certificate and --client-key");
    superlink.line("the client shows no certificate, and --ssl-client-ca-certfile asks for one");
    let ca = scene.path("certificates/ca.crt").display().to_string();
    let app = scene.app(&format!("root-certificates = \"{ca}\""));
    let outcome = scene.flwr().call(&app.path, &["ls", ".", "e2e"]).failure(1);
    outcome.must_say(&["it asks for a client certificate"]);
    superlink.stop();

    let mut superlink = scene.asking(&["--control-client-auth", "none"]);
    let outcome = scene.flwr().call(&app.path, &["ls", ".", "e2e"]);
    outcome.success().must_say(&["Listing all runs"]);
    superlink.stop();
}

#[test]
fn who_is_of_another_ca_is_refused() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    scene.make("cert ca --out other --name Other");
    scene.make("cert request --name node-3 --out node-3");
    let sign = "cert sign node-3.csr --ca other/ca.crt --ca-key other/ca.key";
    scene.make(sign);
    let stranger = scene.named_node("node-3");
    stranger
        .line("the other side refused the handshake: it does not trust the CA of our certificate");
    superlink.line("the client is refused: its certificate is signed by a CA that is not trusted");
    superlink.stop();
}

#[test]
fn mutual_tls_and_signatures_work_together() {
    let scene = Scene::from_flwr_cert();
    let flwr = |line: &str| scene.make(line);
    flwr("key new --count 2");
    let mut superlink = scene.asking(&["--auth-list-public-keys", "keys/client_public_keys.csv"]);
    superlink.line("client certificate needed; 2 SuperNode keys allowed");
    let trust = ["--root-certificates", "certificates/ca.crt"];
    let own = [
        "--client-certificate",
        "node-1.crt",
        "--client-key",
        "node-1.key",
    ];
    let keyed = [
        "--auth-supernode-private-key",
        "keys/client_credentials_1",
        "--auth-supernode-public-key",
        "keys/client_credentials_1.pub",
    ];
    let mut node = scene.node(".", &[&trust[..], &own, &keyed].concat());
    node.line("registered with the SuperLink");
    let app = scene.app(&scene.user("node-2"));
    let outcome = scene.flwr().run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1"]);
    superlink.line("certificate may be a SuperNode's, since one CA signs for both");
    let as_node = scene.app(&scene.user("node-1"));
    let outcome = scene.flwr().call(&as_node.path, &["ls", ".", "e2e"]);
    outcome.failure(1).must_say(&["is a SuperNode's"]);
    superlink.line("the certificate is marked as a SuperNode's");
    // A good certificate is no key.
    let unsigned = scene.named_node("node-2");
    unsigned.line("SuperNode authentication is enabled");
    node.stop();
    superlink.stop();
}
