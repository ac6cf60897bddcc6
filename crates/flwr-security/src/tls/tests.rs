//! Files that are wrong in every way, and handshakes that fail for every reason.

use std::path::PathBuf;

use time::{Duration, OffsetDateTime};

use super::*;
use crate::testing::{Files, server_files};

fn error(files: &Files) -> String {
    files.load().unwrap_err().to_string()
}

#[test]
fn the_file_at_fault_is_named_with_what_is_wrong() {
    let cases = [
        ("ca.crt", "", "the file is empty"),
        ("server.pem", "rubbish", "no certificate in it"),
        (
            "server.pem",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "damaged PEM",
        ),
        ("server.key", " \n", "the file is empty"),
        ("server.key", "rubbish", "no private key in it"),
        (
            "server.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "the key is encrypted",
        ),
        (
            "server.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "not a key that TLS can use",
        ),
    ];
    for (name, content, problem) in cases {
        let files = Files::new();
        let path = files.write(name, content);
        let found = error(&files);
        let expected = format!("{}: {problem}", path.display());
        assert!(found.starts_with(&expected), "{name} {content:?}: {found}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (files, others) = (Files::new(), Files::new());
    let key = others.path("server.key");
    fs::copy(&key, files.path("server.key")).unwrap();
    assert!(
        error(&files).contains("it is not the key of the certificate in"),
        "{}",
        error(&files)
    );
}

#[test]
fn a_missing_file_is_named() {
    let files = Files::new();
    fs::remove_file(files.path("server.key")).unwrap();
    assert!(
        error(&files).ends_with("server.key: cannot be read"),
        "{}",
        error(&files)
    );
    assert!(ClientTls::trusting(files.path("missing")).is_err());
}

#[test]
fn a_certificate_that_clients_will_refuse_is_warned_of() {
    let files = Files::new();
    let now = OffsetDateTime::now_utc();
    let expired = files.server(|params| {
        (params.not_before, params.not_after) = (now - Duration::WEEK, now - Duration::DAY);
    });
    assert!(
        expired.warnings()[0].contains("it expired on"),
        "{:?}",
        expired.warnings()
    );
    let nameless = files.server(|params| params.subject_alt_names.clear());
    assert!(
        nameless.warnings()[0].contains("no host"),
        "{:?}",
        nameless.warnings()
    );
    files.server(|_| {});
    fs::copy(Files::new().path("ca.crt"), files.path("ca.crt")).unwrap();
    let stranger = files.load().unwrap();
    assert!(
        stranger.warnings()[0].contains("CN=rcgen self signed cert is neither in the root"),
        "{:?}",
        stranger.warnings()
    );
}

#[test]
fn a_root_file_may_hold_many_certificates() {
    let (files, others) = (Files::new(), Files::new());
    let both = fs::read_to_string(files.path("ca.crt")).unwrap()
        + &fs::read_to_string(others.path("ca.crt")).unwrap();
    ClientTls::trusting(files.write("both.crt", &both)).unwrap();
}

fn server(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/server")
        .join(name)
}

fn trusted() -> Roots {
    file_roots(&server("ca.crt"), Purpose::Server).unwrap()
}

/// Client and server shake hands in memory.
fn handshake(server: &ServerTls, version: &'static rustls::SupportedProtocolVersion) {
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(trusted().store().clone())
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = rustls::ServerConnection::new(server.asking().config()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        server.process_new_packets().unwrap();
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    assert_eq!(client.protocol_version(), Some(version.version));
}

#[test]
fn every_kind_of_server_key_serves_tls_1_2_and_1_3() {
    for name in [
        "rsa2048-pkcs1",
        "rsa2048-pkcs8",
        "rsa4096-pkcs8",
        "p256-sec1",
        "p384-sec1",
        "p384-pkcs8",
        "ed25519-pkcs8",
    ] {
        let [certificate, key] = ["crt", "key"].map(|kind| server(&format!("{name}.{kind}")));
        let tls = ServerTls::load(server_files(&server("ca.crt"), &certificate, &key)).unwrap();
        let mut warnings = tls.warnings();
        // Git keeps no mode by which a file is its owner's alone.
        warnings.retain(|told| !told.contains("can be read by others"));
        if name.starts_with("ed25519") {
            assert!(
                warnings[0].contains("its key is of kind Ed25519"),
                "{warnings:?}"
            );
        } else {
            assert_eq!(warnings, [] as [String; 0], "{name}");
        }
        handshake(&tls, &rustls::version::TLS12);
        handshake(&tls, &rustls::version::TLS13);
    }
}

#[test]
fn an_x509_v1_certificate_is_refused_with_the_way_out() {
    let [certificate, key] = ["v1.crt", "p256-sec1.key"].map(server);
    let error = ServerTls::load(server_files(&server("ca.crt"), &certificate, &key)).unwrap_err();
    assert!(
        matches!(
            &error,
            TlsError::Certificate {
                reason: Reason::Version,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("flwr cert new"), "{error}");
}

#[test]
fn a_client_refuses_what_no_server_should_show_with_the_reason() {
    use rustls::client::danger::ServerCertVerifier as _;

    let verifier = strict::StrictServerVerifier::new(trusted()).unwrap();
    let reason = |file: &str| {
        let shown = &certificates(&server(file), None).unwrap()[0];
        let name = "localhost".try_into().unwrap();
        let now = rustls_pki_types::UnixTime::now();
        let verdict = verifier.verify_server_cert(shown, &[], &name, &[], now);
        Reason::from(&verdict.unwrap_err())
    };
    assert!(matches!(reason("v1.crt"), Reason::OldForm { .. }));
    // It is trusted itself, byte for byte; what it lacks is a name.
    assert!(matches!(reason("ca.crt"), Reason::OldForm { .. }));
}

#[test]
fn another_name_is_told_with_the_flags_that_name_a_superlink() {
    let reason = Reason::NameMismatch {
        wanted: "10.0.0.1".to_owned(),
        found: "localhost".to_owned(),
    };
    let text = reason.to_string();
    for way in [
        "--server-name",
        "`server-name`",
        "`options`",
        "flwr cert new --name 10.0.0.1",
    ] {
        assert!(text.contains(way), "{way}: {text}");
    }
    let text = reason.of_other_service();
    assert!(!text.contains("--server-name"), "{text}");
    assert!(
        text.contains("not for 10.0.0.1, but for localhost"),
        "{text}"
    );
}

#[test]
fn a_system_without_certificates_is_told() {
    let error = system_roots(CertificateResult::default()).unwrap_err();
    assert!(matches!(error, TlsError::NoSystemRoots), "{error}");
    let mut system = CertificateResult::default();
    system.certs = certificates(&server("ca.crt"), None).unwrap();
    assert_eq!(system_roots(system).unwrap().store().len(), 1);
}

#[test]
fn a_root_that_is_renewed_with_its_key_keeps_the_hash_of_its_key() {
    let files = Files::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let root = |name: &str, key: &rcgen::KeyPair| {
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.self_signed(key).unwrap().pem()
    };
    let keys = |text: &str| {
        let tls = ClientTls::trusting(files.write("root.crt", text)).unwrap();
        tls.root_keys().unwrap()
    };
    let old = keys(&root("old", &key));
    assert_eq!(old, keys(&root("new", &key)));
    let other = root("old", &rcgen::KeyPair::generate().unwrap());
    assert!(old.is_disjoint(&keys(&other)));
    let both = keys(&(root("old", &key) + &other));
    assert!(both.len() == 2 && old.is_subset(&both));
}

#[test]
fn a_key_that_others_can_read_is_warned_of_on_both_sides() {
    let files = Files::new();
    let key = files.path("server.key");
    assert_eq!(files.load().unwrap().warnings(), [] as [String; 0]);
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&key, readable).unwrap();
    let expected = format!("chmod 600 {}", key.display());
    let server = files.load().unwrap().warnings();
    assert!(
        server.len() == 1 && server[0].ends_with(&expected),
        "{server:?}"
    );
    let client = ClientTls::load(ClientFiles {
        roots: Some(files.path("ca.crt")),
        identity: Some(Identity {
            certificate: files.path("server.pem"),
            key,
        }),
        ..ClientFiles::default()
    });
    let client = client.unwrap().warnings();
    let told = client.iter().filter(|text| text.ends_with(&expected));
    assert_eq!(told.count(), 1, "{client:?}");
}

#[test]
fn a_certificate_of_a_short_life_is_warned_of_in_its_last_quarter() {
    let tls = Files::new().load().unwrap();
    let dated = tls.dated().into_iter().find(Dated::is_own).unwrap();
    let (now, day) = (OffsetDateTime::now_utc(), Duration::DAY);
    assert!(matches!(dated.at(now + day * 7), Standing::Good(_)));
    assert!(matches!(dated.at(now + day * 8), Standing::Ending(_)));
    assert!(matches!(dated.at(now + day * 11), Standing::Over(_)));
}
