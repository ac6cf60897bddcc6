//! Certificates, keys and lists that change while the federation runs.

use std::fs;
use std::path::Path;

use e2e::pki::SERVER_FLAGS;
use e2e::{Federation, Security};
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

use crate::mutual::Scene;

/// The list of the CA in this folder, in which these certificates are revoked.
fn revocation_list(folder: &Path, revoked: &[&str]) -> String {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let key = KeyPair::from_pem(&read("certificates/ca.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("certificates/ca.crt"), key).unwrap();
    let now = OffsetDateTime::now_utc();
    let entry = |name: &&str| {
        let (_, pem) = parse_x509_pem(read(name).as_bytes()).unwrap();
        let serial = pem.parse_x509().unwrap().raw_serial().to_vec();
        RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        }
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::DAY,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().pem().unwrap()
}

#[test]
fn a_new_server_certificate_is_shown_to_whoever_comes_next() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    let mut node = scene.named_node("node-1");
    node.line("registered with the SuperLink");
    let old = fs::read(scene.scratch.path().join("certificates/server.pem")).unwrap();

    // A file that is of no use changes nothing.
    scene.scratch.file("certificates/server.pem", "rubbish");
    superlink.line("--ssl-certfile is not usable now, what was read before stays in use: certificates/server.pem");
    let app = scene.app(&scene.user("node-2"));
    let outcome = scene.flwr().run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1"]);

    scene.scratch.file("certificates/server.pem", old);
    superlink.line("--ssl-certfile read again: certificate O=Flower, CN=localhost");
    scene.make("cert server --name superlink.example --force");
    superlink.line("--ssl-certfile read again: certificate O=Flower, CN=superlink.example");
    // Whoever comes anew meets the new one; who is there stays.
    let by_name = format!(
        "{}\nserver-name = \"superlink.example\"",
        scene.user("node-2")
    );
    let outcome = scene.flwr().run(&scene.app(&by_name), "rounds=1 nodes=1");
    outcome.success().must_say(&["round 1: mean 1.000 of 1"]);
    let registered = node.lines();
    let registered = registered.iter().filter(|line| line.contains("registered"));
    assert_eq!(registered.count(), 1, "{}", node.last_words());
    node.stop();
    superlink.stop();
}

/// A hook that grants the daemon access after the renewal changes no content, and no date of it.
#[test]
fn a_key_to_which_access_is_granted_is_read_again() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    let key = scene.scratch.path().join("certificates/server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    superlink.line("--ssl-certfile read again: certificate O=Flower, CN=localhost");
    superlink.stop();
}

#[test]
fn what_cannot_be_read_is_told_once_and_read_when_it_can_be() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    let key = scene.scratch.path().join("certificates/server.key");
    let content = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    superlink.line("--ssl-certfile is not usable now, what was read before stays in use: certificates/server.key: cannot be read");
    fs::write(&key, content).unwrap();
    superlink.line("--ssl-certfile read again: certificate O=Flower, CN=localhost");
    let told = superlink.lines();
    let told = told
        .iter()
        .filter(|line| line.contains("is not usable now"));
    assert_eq!(told.count(), 1, "{}", superlink.last_words());
    superlink.stop();
}

#[test]
fn the_systems_certificates_are_read_again_too() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.superlink(".", &SERVER_FLAGS);
    let root = fs::read(scene.scratch.path().join("certificates/ca.crt")).unwrap();
    let system = scene.scratch.file("system.pem", &root);
    let mut command = e2e::Maker::Ours.command("flower-supernode");
    command.args(["--superlink", &scene.fleet.to_string()]);
    command.args(["--clientappio-api-address", "127.0.0.1:0"]);
    command.env("FLWR_HOME", scene.scratch.folder("home-node"));
    command.env("SSL_CERT_FILE", &system);
    let mut node = e2e::Process::start("node", &mut command, scene.scratch.path());
    node.line("registered with the SuperLink");
    fs::write(&system, root.repeat(2)).unwrap();
    node.line("--root-certificates read again: trusted certificates");
    node.stop();
    superlink.stop();
}

#[test]
fn a_client_that_is_taken_off_the_list_is_cut_off_and_let_in_again() {
    let scene = Scene::from_flwr_cert();
    let list = |content: &str| scene.scratch.file("clients.txt", content);
    list("CN=node-1\nCN=node-2\n");
    let mut superlink =
        scene.asking(&["--ssl-client-allow-list", "clients.txt", "--node-hold", "1"]);
    let mut node = scene.named_node("node-1");
    node.line("registered with the SuperLink");
    list("CN=node-2\n");
    superlink.line("--ssl-client-allow-list read again: 1 clients");
    superlink.line("request refused: the client is not on --ssl-client-allow-list");
    list("# nobody\n");
    superlink.line("it names nobody, so that no client could connect");
    list("node-1\nCN=node-2 # the user\n");
    superlink.line("--ssl-client-allow-list read again: 2 clients");
    let app = scene.app(&scene.user("node-2"));
    let outcome = scene.flwr().run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1"]);
    node.stop();
    superlink.stop();
}

#[test]
fn a_client_that_is_revoked_does_not_come_back() {
    let scene = Scene::from_flwr_cert();
    let folder = scene.scratch.path();
    let publish = |revoked: &[&str]| {
        scene
            .scratch
            .file("crl.pem", revocation_list(folder, revoked))
    };
    publish(&[]);
    let mut superlink = scene.asking(&["--ssl-client-crl-file", "crl.pem"]);
    let mut node = scene.named_node("node-1");
    node.line("registered with the SuperLink");
    // Its call is held meanwhile.
    publish(&["node-1.crt"]);
    superlink.line("--ssl-certfile read again");
    superlink.line("the connection is ended, since its client's certificate is not good any more");
    node.line("it says that our certificate was revoked");
    node.stop();
    let revoked = scene.named_node("node-1");
    revoked.line("it says that our certificate was revoked");
    superlink.line("the client is refused: its certificate was revoked by its CA");
    let mut other = scene.named_node("node-2");
    other.line("registered with the SuperLink");
    other.stop();
    superlink.stop();
}

#[test]
fn a_nodes_own_certificate_is_renewed_without_a_restart() {
    let scene = Scene::from_flwr_cert();
    let mut superlink = scene.asking(&[]);
    let mut node = scene.named_node("node-1");
    node.line("registered with the SuperLink");
    scene.make("cert sign node-1.csr --name node-1.example --force");
    node.line("--client-certificate read again: certificate O=Flower, CN=node-1");
    // It is shown with the next connection.
    superlink.stop();
    let mut superlink = scene.asking(&[]);
    let app = scene.app(&scene.user("node-2"));
    let outcome = scene.flwr().run(&app, "rounds=1 nodes=1").success();
    outcome.must_say(&["round 1: mean 1.000 of 1"]);
    node.stop();
    superlink.stop();
}

#[test]
fn a_key_that_is_taken_off_the_list_is_cut_off_without_a_signal() {
    let plan = Federation::plan(Security::TlsAndAuth).nodes(2);
    let mut federation = plan.superlink_flags(&["--node-hold", "1"]).start();
    for index in 0..2 {
        federation.node(index).line("registered with the SuperLink");
    }
    let list = federation.scratch().path().join("keys/list.csv");
    let both = fs::read_to_string(&list).unwrap();
    let second = federation.keys()[1].key.public_key().to_openssh();
    fs::write(&list, second).unwrap();
    federation
        .superlink()
        .line("--auth-list-public-keys read again: 1 keys");
    federation.superlink().line("Public key not recognized");
    fs::write(&list, both).unwrap();
    federation
        .superlink()
        .line("--auth-list-public-keys read again: 2 keys");
    let app = federation.app("mean");
    let outcome = federation
        .flwr(e2e::Maker::Ours)
        .run(&app, "rounds=1")
        .success();
    outcome.must_say(&["round 1: mean 1.500 of 2"]);
    federation.stop();
}
