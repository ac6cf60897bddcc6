//! Handshakes in memory, with servers that show their authority and servers that do not.

use std::fs;
use std::path::Path;

use rcgen::CertificateParams;
use rustls::{AlertDescription, ServerConfig};
use time::{Duration, OffsetDateTime};

use super::super::{ClientTls, certificates};
use super::*;
use crate::testing::Files;

/// A server that ends its chain with its authority.
fn showing(files: &Files, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
    files.server(change);
    let read = |name| fs::read_to_string(files.path(name)).unwrap();
    files.write("server.pem", &(read("server.pem") + &read("ca.crt")));
    files.load().unwrap().asking().config()
}

fn authority(path: &Path) -> CertificateDer<'static> {
    certificates(path, None).unwrap().remove(0)
}

fn pin(files: &Files) -> Pin {
    pin_of(&authority(&files.path("ca.crt"))).unwrap()
}

/// What a client with this pin says of the server, and what the server says of the client.
fn meet(pin: Pin, name: &str, server: Arc<ServerConfig>) -> (Result<(), Error>, Option<Error>) {
    let tls = ClientTls::pinned(pin, None).unwrap();
    let name = name.to_owned().try_into().unwrap();
    let mut client = rustls::ClientConnection::new(tls.config(), name).unwrap();
    let mut server = rustls::ServerConnection::new(server).unwrap();
    let mut met = Ok(());
    for _ in 0..4 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        let said = server.process_new_packets().err();
        if met.is_err() || said.is_some() {
            return (met, said);
        }
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        met = client.process_new_packets().map(|_| ());
    }
    (met, None)
}

fn reason(met: Result<(), Error>) -> Reason {
    Reason::from(&met.unwrap_err())
}

#[test]
fn a_chain_that_ends_in_the_pinned_authority_is_accepted() {
    let files = Files::new();
    let server = showing(&files, |_| {});
    assert_eq!(meet(pin(&files), "localhost", server), (Ok(()), None));
}

#[test]
fn another_authority_is_refused_in_the_handshake() {
    let (files, others) = (Files::new(), Files::new());
    let server = showing(&others, |_| {});
    showing(&files, |_| {});
    let (met, said) = meet(pin(&files), "localhost", server);
    assert_eq!(reason(met), Reason::OtherAuthority);
    let alerted = matches!(said, Some(Error::AlertReceived(_)));
    assert!(alerted, "{said:?}");
}

#[test]
fn an_authority_that_is_not_shown_is_unknown() {
    let files = Files::new();
    let server = files.server(|_| {}).asking().config();
    let (met, _) = meet(pin(&files), "localhost", server);
    assert_eq!(reason(met), Reason::OtherAuthority);
}

#[test]
fn a_shown_authority_that_did_not_sign_proves_nothing() {
    let (files, others) = (Files::new(), Files::new());
    showing(&files, |_| {});
    others.server(|_| {});
    let read = |files: &Files, name| fs::read_to_string(files.path(name)).unwrap();
    let chain = read(&others, "server.pem") + &read(&files, "ca.crt");
    others.write("server.pem", &chain);
    let server = others.load().unwrap().asking().config();
    let (met, _) = meet(pin(&files), "localhost", server);
    assert_eq!(reason(met), Reason::UnknownIssuer);
}

#[test]
fn name_and_dates_count_under_a_pin_too() {
    let files = Files::new();
    let server = showing(&files, |_| {});
    let (met, _) = meet(pin(&files), "superlink.example", server);
    assert!(matches!(reason(met), Reason::NameMismatch { .. }));
    let yesterday = OffsetDateTime::now_utc() - Duration::DAY;
    let server = showing(&files, |params| {
        (params.not_before, params.not_after) = (yesterday - Duration::WEEK, yesterday);
    });
    let (met, _) = meet(pin(&files), "localhost", server);
    assert!(matches!(reason(met), Reason::Expired { .. }));
}

#[test]
fn a_server_of_tls_1_2_has_no_version_in_common() {
    let files = Files::new();
    showing(&files, |_| {});
    let (chain, key) = (
        certificates(&files.path("server.pem"), None).unwrap(),
        super::super::private_keys(&files.path("server.key")).unwrap(),
    );
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key.into_iter().next().unwrap())
        .unwrap();
    let tls = ClientTls::pinned(pin(&files), None).unwrap();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(tls.config(), name).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(server)).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    server.read_tls(&mut &wire[..]).unwrap();
    server.process_new_packets().unwrap_err();
    wire.clear();
    server.write_tls(&mut wire).unwrap();
    client.read_tls(&mut &wire[..]).unwrap();
    let refused = client.process_new_packets().unwrap_err();
    assert_eq!(
        refused,
        Error::AlertReceived(AlertDescription::ProtocolVersion)
    );
    assert_eq!(Reason::from(&refused), Reason::NothingInCommon);
}

#[test]
fn the_authority_that_proves_a_chain_is_told_from_another() {
    let (files, others) = (Files::new(), Files::new());
    showing(&files, |_| {});
    showing(&others, |_| {});
    let chain = certificates(&files.path("server.pem"), None).unwrap();
    assert!(is_proven_by(&chain, &authority(&files.path("ca.crt"))));
    assert!(!is_proven_by(&chain, &authority(&others.path("ca.crt"))));
    assert!(!is_proven_by(&[], &authority(&files.path("ca.crt"))));
}
