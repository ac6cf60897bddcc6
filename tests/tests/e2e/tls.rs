//! Whom the programs trust on the wire, and what both sides say when they do not.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::pki::{self, Flaw};
use e2e::{Federation, Maker, Process, Security};

const OURS: Maker = Maker::Ours;

/// How long the SuperLink waits for a handshake, and then some.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// A SuperNode of ours that is given these flags about trust.
fn node(federation: &Federation, trust: &[&str]) -> Process {
    let mut command = federation.node_command(OURS, "home-stranger");
    command
        .args(trust)
        .args(["--superlink", &federation.fleet().to_string()]);
    let port = e2e::ports::free();
    command.args(["--clientappio-api-address", &format!("127.0.0.1:{port}")]);
    Process::start("stranger", &mut command, federation.scratch().path())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The SuperLink still serves those that come as they should.
#[track_caller]
fn still_serves(federation: &Federation) {
    let app = federation.app("mean");
    let statuses = federation.flwr(OURS).statuses(&app);
    assert!(statuses.is_empty(), "{statuses:?}");
}

#[test]
fn a_ca_that_is_not_ours_is_not_trusted() {
    let mut federation = Federation::plan(Security::Tls).nodes(0).start();
    let other = pki::make(&federation.scratch().path().join("other"), Flaw::None);
    let node = node(&federation, &["--root-certificates", text(&other.ca)]);
    node.line("signed by a CA that is not trusted here");
    federation
        .superlink()
        .line("the client does not trust the authority");

    let app = federation.app("mean");
    let override_ca = format!("root-certificates=\"{}\"", other.ca.display());
    let arguments = ["ls", ".", "e2e", "--federation-config", &override_ca];
    let outcome = federation.flwr(OURS).call(&app.path, &arguments).failure(1);
    outcome.must_say(&["signed by a CA that is not trusted here"]);
}

#[track_caller]
fn certificate_is_refused(flaw: Flaw, by_client: &[&str], by_server: &str) {
    let mut federation = Federation::plan(Security::Tls).nodes(0).flaw(flaw).start();
    let ca = text(federation.ca().unwrap()).to_owned();
    let node = node(&federation, &["--root-certificates", &ca]);
    for words in by_client {
        node.line(words);
    }
    federation.superlink().line(by_server);
    let app = federation.app("mean");
    federation
        .flwr(OURS)
        .call(&app.path, &["ls", ".", "e2e"])
        .failure(1)
        .must_say(by_client);
}

#[test]
fn an_expired_certificate_is_refused() {
    certificate_is_refused(
        Flaw::Expired,
        &["its certificate has expired on"],
        "our certificate is expired or not valid yet",
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    certificate_is_refused(
        Flaw::OtherName,
        &["its certificate is not for 127.0.0.1, but for superlink.example.org"],
        "the client does not accept our certificate",
    );
}

#[test]
fn a_plaintext_client_on_the_tls_port_is_told() {
    let mut federation = Federation::plan(Security::Tls).nodes(0).start();
    let node = node(&federation, &["--insecure"]);
    node.line("TLS");
    federation.superlink().line("a plaintext client");
    still_serves(&federation);
}

#[test]
fn a_tls_client_on_a_plaintext_port_is_told() {
    let mut federation = Federation::plan(Security::Insecure).nodes(0).start();
    let pki = pki::make(&federation.scratch().path().join("other"), Flaw::None);
    let node = node(&federation, &["--root-certificates", text(&pki.ca)]);
    node.line("the other side does not speak TLS");
    federation.superlink().line("a TLS client");
    still_serves(&federation);
}

/// Sends bytes, and waits until the other side closes or resets the connection.
#[track_caller]
fn is_hung_up_on(address: SocketAddr, bytes: &[u8], what: &str) -> Duration {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANDSHAKE_LIMIT)).unwrap();
    // The other side may have hung up before all is sent.
    let _ = stream.write_all(bytes);
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        let kind = error.kind();
        assert_eq!(
            kind,
            ErrorKind::ConnectionReset,
            "not hung up on {what}: {error}"
        );
    }
    started.elapsed()
}

#[test]
fn garbage_is_hung_up_on() {
    let garbage: Vec<u8> = (0..4096_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let cases = [
        ("garbage", garbage.clone()),
        // A TLS record that is whole, with nothing sensible in it.
        (
            "a garbled handshake",
            [&[0x16, 0x03, 0x01, 0x04, 0x00][..], &garbage].concat(),
        ),
        // A frame longer than any that HTTP/2 allows.
        (
            "a garbled HTTP/2 frame",
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 64][..]].concat(),
        ),
        (
            "a garbled HTTP/1.1 head",
            b"POST / HTTP/1.1\r\nno header\r\n\r\n".to_vec(),
        ),
    ];
    for security in [Security::Tls, Security::Insecure] {
        let federation = Federation::plan(security).nodes(0).start();
        for (what, bytes) in &cases {
            for address in [
                federation.fleet(),
                federation.control(),
                federation.serverappio(),
            ] {
                is_hung_up_on(address, bytes, what);
            }
        }
        still_serves(&federation);
        federation.stop();
    }
}

#[test]
fn a_handshake_that_stops_halfway_times_out() {
    let federation = Federation::plan(Security::Tls).nodes(0).start();
    // The head of a record that never comes.
    let took = is_hung_up_on(
        federation.fleet(),
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
        "half a handshake",
    );
    assert!(took > Duration::from_secs(1), "the peer had only {took:?}");
    still_serves(&federation);
    federation.stop();
}

#[test]
fn silence_is_hung_up_on_and_keeps_nobody_out() {
    for security in [Security::Tls, Security::Insecure] {
        let federation = Federation::plan(security).nodes(0).start();
        std::thread::scope(|scope| {
            for address in [federation.fleet(), federation.control()] {
                scope.spawn(move || is_hung_up_on(address, &[], "silence"));
            }
            still_serves(&federation);
        });
        federation.stop();
    }
}
