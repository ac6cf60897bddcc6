//! Handshakes in memory, with certificates for one name and addresses of another.

use rcgen::{CertificateParams, DnType};
use rustls_pki_types::UnixTime;

use super::super::chain::Purpose;
use super::super::strict::StrictServerVerifier;
use super::super::{ClientFiles, ClientTls, certificates, file_roots};
use super::*;
use crate::testing::Files;

/// What a client says of a server with this certificate at this address.
fn meet(
    change: impl FnOnce(&mut CertificateParams),
    dialled: &str,
    client: ClientFiles,
) -> Result<(), Error> {
    let files = Files::new();
    let server = files.server(change);
    let roots = Some(files.path("ca.crt"));
    let tls = ClientTls::load(ClientFiles { roots, ..client }).unwrap();
    let name = tls.server_name().cloned();
    let name = name.unwrap_or_else(|| dialled.to_owned().try_into().unwrap());
    let mut client = rustls::ClientConnection::new(tls.config(), name).unwrap();
    let mut server = rustls::ServerConnection::new(server.asking().config()).unwrap();
    while client.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

fn counting(localhost: Localhost) -> ClientFiles {
    ClientFiles {
        localhost,
        ..ClientFiles::default()
    }
}

#[test]
fn a_certificate_for_localhost_counts_where_it_may() {
    use Localhost::{Anywhere, Never, OnLoopback};
    for (dialled, accepted, good) in [
        ("127.0.0.1", Never, false),
        ("127.0.0.1", OnLoopback, true),
        ("127.0.0.2", OnLoopback, true),
        ("::1", OnLoopback, true),
        ("localhost", Never, true),
        ("superlink.example", OnLoopback, false),
        ("10.0.0.1", OnLoopback, false),
        ("superlink.example", Anywhere, true),
        ("10.0.0.1", Anywhere, true),
    ] {
        let met = meet(|_| {}, dialled, counting(accepted));
        assert_eq!(met.is_ok(), good, "{dialled}, {accepted:?}: {met:?}");
    }
}

#[test]
fn the_old_form_counts_by_its_common_name() {
    let old = |params: &mut CertificateParams| {
        params.subject_alt_names.clear();
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
    };
    for (accepted, good) in [(Localhost::Never, false), (Localhost::Anywhere, true)] {
        let client = ClientFiles {
            legacy: true,
            ..counting(accepted)
        };
        let met = meet(old, "superlink.example", client);
        assert_eq!(met.is_ok(), good, "{accepted:?}: {met:?}");
    }
}

#[test]
fn a_name_that_is_given_is_the_only_one() {
    let client = ClientFiles {
        server_name: Some("superlink.example".try_into().unwrap()),
        ..counting(Localhost::Anywhere)
    };
    assert!(meet(|_| {}, "localhost", client).is_err());
}

#[test]
fn a_third_name_is_refused_for_the_address_that_was_dialled() {
    let elsewhere = |params: &mut CertificateParams| {
        params.subject_alt_names = CertificateParams::new(vec!["elsewhere.example".to_owned()])
            .unwrap()
            .subject_alt_names;
    };
    let error = meet(elsewhere, "127.0.0.1", counting(Localhost::Anywhere)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("127.0.0.1") && !text.contains("localhost"),
        "{text}"
    );
}

#[test]
fn other_faults_are_not_forgiven() {
    let expired = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 2);
    };
    assert!(meet(expired, "127.0.0.1", counting(Localhost::Anywhere)).is_err());
}

#[test]
fn another_machine_is_warned_of_once_and_this_one_never() {
    let files = Files::new();
    let _server = files.server(|_| {});
    let roots = file_roots(&files.path("ca.crt"), Purpose::Server).unwrap();
    let strict = Arc::new(StrictServerVerifier::new(roots).unwrap());
    let verifier = LocalhostVerifier::new(strict, Localhost::Anywhere);
    let shown = &certificates(&files.path("server.pem"), None).unwrap()[0];
    for (name, warned) in [
        ("localhost", false),
        ("127.0.0.1", false),
        ("superlink.example", true),
        ("superlink.example", true),
    ] {
        let name = name.try_into().unwrap();
        let verdict = verifier.verify_server_cert(shown, &[], &name, &[], UnixTime::now());
        verdict.unwrap();
        assert_eq!(verifier.warned.load(Ordering::Relaxed), warned, "{name:?}");
    }
}
