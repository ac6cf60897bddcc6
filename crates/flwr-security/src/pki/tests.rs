use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::testing::server_files;
use crate::tls::{Certificate, ClientTls, ServerTls};

fn named() -> Request {
    Request {
        names: vec!["superlink.example.org".to_owned(), "10.1.2.3".to_owned()],
        days: 30,
    }
}

fn testdata(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ca");
    folder.join(name)
}

fn secret() -> Result<Passphrase, String> {
    Ok(Passphrase::new("secret".to_owned()))
}

fn parse(pem: &str) -> Certificate {
    Certificate::read(&CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap()
}

#[test]
fn what_is_made_is_what_a_server_and_its_clients_take() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Pki::make(&named())
        .unwrap()
        .write(dir.path(), false)
        .unwrap();
    let tls = ServerTls::load(server_files(&paths[0], &paths[2], &paths[3])).unwrap();
    assert_eq!(tls.warnings(), [] as [String; 0]);
    assert_eq!(
        tls.certificate().names,
        [
            "superlink.example.org",
            "10.1.2.3",
            "localhost",
            "127.0.0.1",
            "::1"
        ]
    );
    ClientTls::trusting(&paths[0]).unwrap();
}

#[test]
fn keys_are_private_and_nothing_is_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let pki = Pki::make(&named()).unwrap();
    let paths = pki.write(dir.path(), false).unwrap();
    for path in [&paths[1], &paths[3]] {
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    let before = fs::read(&paths[2]).unwrap();
    let again = Pki::make(&named()).unwrap();
    assert!(matches!(
        again.write(dir.path(), false),
        Err(PkiError::Exists(_))
    ));
    assert_eq!(fs::read(&paths[2]).unwrap(), before);
    again.write(dir.path(), true).unwrap();
    assert_ne!(fs::read(&paths[2]).unwrap(), before);
}

#[test]
fn a_name_that_is_none_is_named() {
    let request = Request {
        names: vec!["no name".to_owned()],
        days: 1,
    };
    assert_eq!(
        Pki::make(&request).unwrap_err().to_string(),
        "\"no name\" is not a host name or IP address"
    );
}

#[test]
fn keys_that_openssl_encrypted_are_opened() {
    for key in [
        "pkcs8-des3",
        "pkcs8-aes256",
        "rfc1421-des3",
        "rfc1421-aes128",
        "rfc1421-aes192",
        "rfc1421-aes256",
    ] {
        let key = testdata(&format!("{key}.key"));
        Authority::read(&testdata("ca.crt"), &key, secret).unwrap();
        let wrong = || Ok(Passphrase::new("wrong".to_owned()));
        let error = Authority::read(&testdata("ca.crt"), &key, wrong).unwrap_err();
        let PkiError::PrivateKey { source, .. } = error else {
            panic!("{error}");
        };
        // One wrong key in 256 opens something, which is then no private key.
        let rubbish = matches!(
            source,
            PrivateKeyError::WrongPassphrase | PrivateKeyError::Unsupported
        );
        assert!(rubbish, "{source}");
    }
}

#[test]
fn what_cannot_be_opened_says_what_it_is() {
    for (key, expected) in [
        ("rfc1421-camellia128", "CAMELLIA-128-CBC"),
        ("pkcs8-v1", "convert it with `openssl pkcs8 -topk8"),
    ] {
        let key = testdata(&format!("{key}.key"));
        let error = Authority::read(&testdata("ca.crt"), &key, secret).unwrap_err();
        let PkiError::PrivateKey { source, .. } = error else {
            panic!("{error}");
        };
        assert!(source.to_string().contains(expected), "{source}");
    }
    let key = testdata("pkcs8-des3.key");
    let nobody = || Err("nobody knows it".to_owned());
    let error = Authority::read(&testdata("ca.crt"), &key, nobody).unwrap_err();
    assert!(matches!(
        error,
        PkiError::PrivateKey {
            source: PrivateKeyError::NoPassphrase(_),
            ..
        }
    ));
}

#[test]
fn a_ca_under_a_passphrase_signs_when_it_is_told_it() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::make("Ours", 30, Some(&secret().unwrap())).unwrap();
    assert!(ca.key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let (certificate, key) = (dir.path().join("ca.crt"), dir.path().join("ca.key"));
    write(&[(&certificate, &ca.certificate), (&key, &ca.key)], false).unwrap();
    let ca = Authority::read(&certificate, &key, secret).unwrap();
    let node = ca.issue(&["node-1".to_owned()], 10, Purpose::Client);
    let node = parse(&node.unwrap().certificate);
    assert_eq!((node.names, node.is_v3), (vec!["node-1".to_owned()], true));
}

#[test]
fn a_superlink_knows_the_certificates_of_supernodes_by_their_mark() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::make("Ours", 30, None).unwrap();
    let ca = Authority::parse(&ca).unwrap();
    for (purpose, is_node, shown) in [
        (Purpose::Node, true, "client, as a SuperNode"),
        (Purpose::Client, false, "client"),
        (Purpose::Both, false, "server and client"),
    ] {
        let made = ca.issue(&["node-1".to_owned()], 10, purpose).unwrap();
        assert_eq!(parse(&made.certificate).is_node, is_node, "{purpose:?}");
        let file = dir.path().join("made.crt");
        fs::write(&file, &made.certificate).unwrap();
        let reports = inspect(&file, OffsetDateTime::now_utc()).unwrap();
        let told = &reports[0].facts;
        assert!(told.contains(&("use", shown.to_owned())), "{told:?}");
    }
}

#[test]
fn a_request_gets_the_names_that_were_given_or_asked_for_or_its_common_name() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::read(&testdata("ca.crt"), &testdata("pkcs8-des3.key"), secret).unwrap();
    let sign = |request: &Path, names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        ca.sign(request, &names, 30, Purpose::Both)
            .map(|signed| parse(&signed.certificate))
            .map_err(|error| error.to_string())
    };
    let asked = dir.path().join("asked.csr");
    let made = request(&["a.example".to_owned(), "10.0.0.1".to_owned()]).unwrap();
    fs::write(&asked, &made.certificate).unwrap();
    assert_eq!(sign(&asked, &[]).unwrap().names, ["a.example", "10.0.0.1"]);
    assert_eq!(sign(&asked, &["b.example"]).unwrap().names, ["b.example"]);
    let openssl = sign(&testdata("p384-sha256.csr"), &[]).unwrap();
    assert_eq!(openssl.names, ["node-1"]);
    assert_eq!(openssl.subject, "O=Hospital, CN=node-1");
    let error = sign(&testdata("no-host.csr"), &[]).unwrap_err();
    assert!(error.contains("\"Node One\" is no host name"), "{error}");
    assert!(sign(&testdata("no-host.csr"), &["node-1"]).is_ok());
    let error = sign(&testdata("ca.crt"), &[]).unwrap_err();
    assert!(error.contains("BEGIN CERTIFICATE REQUEST"), "{error}");
}

#[test]
fn a_key_stays_what_it_was_however_its_request_was_signed() {
    let ca = Authority::read(&testdata("ca.crt"), &testdata("pkcs8-des3.key"), secret).unwrap();
    let path = testdata("p384-sha256.csr");
    let signed = ca.sign(&path, &[], 30, Purpose::Both).unwrap();
    let der = CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap();
    let request = pem::parse(fs::read(path).unwrap()).unwrap();
    let (_, request) =
        x509_parser::certification_request::X509CertificationRequest::from_der(request.contents())
            .unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(
        certificate.public_key().raw,
        request.certification_request_info.subject_pki.raw
    );
}

#[test]
fn a_request_that_was_changed_is_not_signed() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::read(&testdata("ca.crt"), &testdata("pkcs8-des3.key"), secret).unwrap();
    let mut block = pem::parse(fs::read(testdata("p384-sha256.csr")).unwrap())
        .unwrap()
        .into_contents();
    let at = block.windows(6).position(|w| w == b"node-1").unwrap();
    block[at + 5] = b'2';
    let path = dir.path().join("changed.csr");
    fs::write(
        &path,
        pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", block)),
    )
    .unwrap();
    assert!(ca.sign(&path, &[], 30, Purpose::Both).is_err());
}

#[test]
fn halves_of_two_pairs_and_what_is_no_ca_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Pki::make(&named())
        .unwrap()
        .write(dir.path(), false)
        .unwrap();
    let never = || panic!("it is not encrypted");
    let error = Authority::read(&testdata("ca.crt"), &paths[1], never).unwrap_err();
    assert!(matches!(error, PkiError::NoPair { .. }), "{error}");
    let error = Authority::read(&paths[2], &paths[3], never).unwrap_err();
    assert!(matches!(error, PkiError::NoCa(_)), "{error}");
}

/// The warnings about all that is in a file.
fn warnings(path: &Path, days: i64) -> Vec<String> {
    let later = OffsetDateTime::now_utc() + Duration::days(days);
    let reports = inspect(path, later).unwrap();
    reports
        .into_iter()
        .flat_map(|found| found.warnings)
        .collect()
}

#[test]
fn what_will_fail_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let paths = Pki::make(&Request {
        days: 60,
        ..named()
    })
    .unwrap()
    .write(dir.path(), false)
    .unwrap();
    for path in &paths {
        assert_eq!(warnings(path, 0), [] as [String; 0], "{}", path.display());
    }
    assert!(warnings(&paths[2], 40)[0].contains("expires in 19 days"));
    assert!(warnings(&paths[2], 61)[0].contains("it expired on"));
    assert!(warnings(&paths[2], -9)[0].contains("not valid before"));
    fs::set_permissions(&paths[3], fs::Permissions::from_mode(0o644)).unwrap();
    assert!(warnings(&paths[3], 0)[0].contains("chmod 600"));
    let v1 = testdata("../server/v1.crt");
    assert!(warnings(&v1, 0)[0].contains("X.509 version 1"));
    assert!(warnings(&testdata("pkcs8-des3.key"), 0)[0].contains("encrypted"));
    assert!(warnings(&testdata("p384-sha256.csr"), 0)[0].contains("no subjectAltName"));
    let error = inspect(Path::new("/etc/passwd"), OffsetDateTime::now_utc()).unwrap_err();
    assert!(matches!(error, PkiError::Unknown(_)), "{error}");
}

#[test]
fn inspect_tells_which_keys_few_peers_take() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.pem");
    for (algorithm, told) in [
        (&rcgen::PKCS_ECDSA_P521_SHA512, Some("EC P-521")),
        (&rcgen::PKCS_ED25519, Some("Ed25519")),
        (&rcgen::PKCS_ECDSA_P384_SHA384, None),
    ] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let reports = inspect(&path, OffsetDateTime::now_utc()).unwrap();
        let warning = reports[0].warnings.first().cloned();
        match told {
            None => assert_eq!(warning, None),
            Some(kind) => {
                let warning = warning.unwrap();
                assert!(warning.contains(&format!("of kind {kind}")), "{warning}");
                assert!(warning.contains("RSA, EC P-256 and P-384"), "{warning}");
            }
        }
    }
}

#[test]
fn inspect_tells_rare_keys_of_a_ca_that_a_server_can_show() {
    use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    for (key_usages, warned) in [
        // As `openssl req -x509` makes it.
        (vec![], true),
        (
            vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyCertSign,
            ],
            true,
        ),
        (vec![KeyUsagePurpose::KeyCertSign], false),
    ] {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = key_usages;
        fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        let reports = inspect(&path, OffsetDateTime::now_utc()).unwrap();
        assert!(
            reports[0]
                .facts
                .contains(&("key", "EC, 521 bits".to_owned()))
        );
        let text = "if a server is to show it: its key is of kind EC P-521";
        let warnings = &reports[0].warnings;
        assert_eq!(
            warnings.iter().any(|warning| warning.starts_with(text)),
            warned
        );
    }
}

#[test]
fn inspect_names_other_encodings_with_the_command_that_converts_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.der");
    let key = rcgen::KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(&path, params.self_signed(&key).unwrap().der()).unwrap();
    let error = inspect(&path, OffsetDateTime::now_utc()).unwrap_err();
    let told = error.to_string();
    assert!(told.contains("openssl x509 -inform DER -in"), "{told}");
}
