//! Each way in which it must say no, and the two in which it says yes.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::*;
use crate::tls::{ClientFiles, ClientTls, Reason, file_roots, provider};

mod lax;

type Issuer = CertifiedIssuer<'static, KeyPair>;
type Change = fn(&mut CertificateParams);

/// A CA as `openssl req -x509` makes it.
fn root(change: impl FnOnce(&mut CertificateParams)) -> Issuer {
    let mut params = named("root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate without a subjectAltName.
fn nameless(common_name: &str) -> CertificateParams {
    let mut params = named(common_name);
    params.serial_number = Some(SerialNumber::from(7));
    params
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

fn signed(params: &CertificateParams, issuer: &Issuer) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, issuer).unwrap().der().clone()
}

fn der(issuer: &Issuer) -> CertificateDer<'static> {
    issuer.der().clone()
}

fn servers(root: CertificateDer<'static>) -> LegacyServerVerifier {
    let mut store = rustls::RootCertStore::empty();
    store.add(root.clone()).unwrap();
    let today =
        rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
    let roots = LegacyRoots::new(vec![root], &provider());
    LegacyServerVerifier::new(today.build().unwrap(), roots)
}

fn verdict(
    verifier: &LegacyServerVerifier,
    certificate: &CertificateDer<'_>,
    name: &str,
) -> Result<(), CertificateError> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    match verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

/// What becomes of a certificate for localhost, with these changes to it and its root.
fn refused(change_root: Change, change: Change) -> CertificateError {
    let root = root(change_root);
    let mut params = nameless("localhost");
    change(&mut params);
    verdict(&servers(der(&root)), &signed(&params, &root), "localhost").unwrap_err()
}

const AS_IT_IS: Change = |_| {};

#[test]
fn a_common_name_serves_where_there_is_no_other() {
    let root = root(AS_IT_IS);
    let verifier = servers(der(&root));
    let certificate = signed(&nameless("localhost"), &root);
    verdict(&verifier, &certificate, "localhost").unwrap();
    verdict(&verifier, &certificate, "LOCALHOST").unwrap();
    let address = signed(&nameless("127.0.0.1"), &root);
    verdict(&verifier, &address, "127.0.0.1").unwrap();
}

#[test]
fn version_1_as_openssl_writes_it_serves() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/server");
    let of = |file: &str| {
        super::super::certificates(&folder.join(file), None)
            .unwrap()
            .remove(0)
    };
    let verifier = servers(of("ca.crt"));
    let common_name = Reason::from(&verdict(&verifier, &of("v1.crt"), "other").unwrap_err());
    assert!(matches!(common_name, Reason::NameMismatch { .. }));
    verdict(&verifier, &of("v1.crt"), "localhost").unwrap();
}

#[test]
fn another_name_is_refused() {
    let root = root(AS_IT_IS);
    let verifier = servers(der(&root));
    for (common_name, wanted) in [
        ("localhost", "example.org"),
        ("localhost", "127.0.0.1"),
        ("*.example.org", "a.example.org"),
        ("example.org", "a.example.org"),
        ("not a host", "localhost"),
    ] {
        let certificate = signed(&nameless(common_name), &root);
        let error = verdict(&verifier, &certificate, wanted).unwrap_err();
        assert!(
            matches!(error, CertificateError::NotValidForNameContext { .. }),
            "{common_name} {wanted}: {error:?}"
        );
    }
}

#[test]
fn two_common_names_are_none() {
    // rcgen keeps one of each kind: the second comes as an attribute of another kind with its OID.
    let error = refused(AS_IT_IS, |params| {
        let common_name = DnType::CustomDnType(vec![2, 5, 4, 3]);
        params.distinguished_name.push(common_name, "localhost");
    });
    let CertificateError::NotValidForNameContext { presented, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(presented, [] as [String; 0]);
}

#[test]
fn a_subject_alt_name_rules_the_common_name_out() {
    let error = refused(AS_IT_IS, |params| {
        let other = "example.org".try_into().unwrap();
        params.subject_alt_names = vec![rcgen::SanType::DnsName(other)];
    });
    assert!(
        matches!(error, CertificateError::NotValidForNameContext { .. }),
        "{error:?}"
    );
}

#[test]
fn an_issuer_that_is_not_configured_is_refused() {
    let (ours, theirs) = (root(AS_IT_IS), root(AS_IT_IS));
    let certificate = signed(&nameless("localhost"), &theirs);
    // Of the same name, with another key.
    let error = verdict(&servers(der(&ours)), &certificate, "localhost").unwrap_err();
    assert_eq!(error, CertificateError::BadSignature);
    let other = root(|params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "another")
    });
    let error = verdict(&servers(der(&other)), &certificate, "localhost").unwrap_err();
    assert_eq!(error, CertificateError::UnknownIssuer);
}

#[test]
fn an_issuer_between_is_refused() {
    let root = root(AS_IT_IS);
    let mut params = named("between");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let between = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = nameless("localhost").signed_by(&key, &between).unwrap();
    let error = verdict(&servers(der(&root)), certificate.der(), "localhost").unwrap_err();
    assert_eq!(error, CertificateError::UnknownIssuer);
}

#[test]
fn a_changed_certificate_is_refused() {
    let root = root(AS_IT_IS);
    let certificate = signed(&nameless("localhost"), &root);
    let verifier = servers(der(&root));
    let mut changed = certificate.to_vec();
    let at = changed
        .windows(9)
        .position(|window| window == b"localhost")
        .unwrap();
    changed[at] = b'm';
    let error = verdict(&verifier, &changed.into(), "mocalhost").unwrap_err();
    assert_eq!(error, CertificateError::BadSignature);
    let mut longer = certificate.to_vec();
    longer.push(0);
    assert!(verdict(&verifier, &longer.into(), "localhost").is_err());
}

#[test]
fn what_is_not_of_now_is_refused() {
    let expired: Change = |params| params.not_after = OffsetDateTime::now_utc() - Duration::DAY;
    let early: Change = |params| params.not_before = OffsetDateTime::now_utc() + Duration::DAY;
    for (change_root, change) in [(AS_IT_IS, expired), (expired, AS_IT_IS)] {
        let error = refused(change_root, change);
        assert!(
            matches!(error, CertificateError::ExpiredContext { .. }),
            "{error:?}"
        );
    }
    for (change_root, change) in [(AS_IT_IS, early), (early, AS_IT_IS)] {
        let error = refused(change_root, change);
        assert!(
            matches!(error, CertificateError::NotValidYetContext { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn a_root_that_may_not_sign_is_refused() {
    let no_ca: Change = |params| params.is_ca = IsCa::ExplicitNoCa;
    let no_signer: Change = |params| params.key_usages = vec![KeyUsagePurpose::CrlSign];
    for change in [no_ca, no_signer] {
        assert_eq!(refused(change, AS_IT_IS), CertificateError::InvalidPurpose);
    }
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let a_ca: Change = |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let for_secrets: Change = |params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
    let for_clients: Change = |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    for change in [a_ca, for_secrets, for_clients] {
        assert_eq!(refused(AS_IT_IS, change), CertificateError::InvalidPurpose);
    }
}

#[test]
fn a_critical_extension_that_is_not_understood_is_refused() {
    let critical: Change = |params| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 3, 9], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions = vec![unknown];
    };
    for (change_root, change) in [(AS_IT_IS, critical), (critical, AS_IT_IS)] {
        // webpki refuses such a root as a trust anchor, too.
        let error = refused(change_root, change);
        assert_eq!(error, CertificateError::UnhandledCriticalExtension);
    }
}

#[test]
fn tls_1_2_is_not_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("root.pem");
    std::fs::write(&roots, root(AS_IT_IS).pem()).unwrap();
    let tls = ClientTls::load(ClientFiles {
        roots: Some(roots),
        legacy: true,
        ..ClientFiles::default()
    });
    let name = "localhost".try_into().unwrap();
    let mut hello = Vec::new();
    let mut client = rustls::ClientConnection::new(tls.unwrap().config(), name).unwrap();
    client.write_tls(&mut hello).unwrap();
    // supported_versions (43) of the hello holds one version of two bytes: 0x0304.
    let versions = [0, 43, 0, 3, 2, 3, 4];
    assert!(hello.windows(7).any(|window| window == versions));
}

fn client_verdict(root: &Issuer, revoked: Option<u64>) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.pem");
    std::fs::write(&path, root.pem()).unwrap();
    let today = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(file_roots(&path, Purpose::Client).unwrap().store().clone()),
        provider(),
    );
    let lists = revoked.map(|serial| {
        let crl = folder.path().join("crl.pem");
        std::fs::write(&crl, list(root, serial)).unwrap();
        RevocationLists::load(&crl, &[der(root)]).unwrap()
    });
    let roots = LegacyRoots::new(vec![der(root)], &provider())
        .without(lists.unwrap_or_else(RevocationLists::none));
    let verifier = LegacyClientVerifier::new(today.build().unwrap(), roots);
    let certificate = signed(&nameless("node-1"), root);
    let verdict = verifier.verify_client_cert(&certificate, &[], UnixTime::now());
    verdict.map(drop)
}

fn list(issuer: &Issuer, serial: u64) -> String {
    let now = OffsetDateTime::now_utc();
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(serial),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::DAY,
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(issuer).unwrap().pem().unwrap()
}

#[test]
fn a_client_that_was_revoked_is_refused() {
    let root = root(|params| {
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    });
    client_verdict(&root, None).unwrap();
    client_verdict(&root, Some(8)).unwrap();
    let error = client_verdict(&root, Some(7)).unwrap_err();
    assert_eq!(error, CertificateError::Revoked.into());
}

#[test]
fn a_list_of_another_ca_says_nothing() {
    let ca = |name: &'static str| {
        root(move |params| {
            params.distinguished_name.push(DnType::CommonName, name);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        })
    };
    let (ours, theirs) = (ca("ours"), ca("theirs"));
    let folder = tempfile::tempdir().unwrap();
    let crl = folder.path().join("crl.pem");
    std::fs::write(&crl, list(&theirs, 7)).unwrap();
    let error = RevocationLists::load(&crl, &[der(&ours)]).err().unwrap();
    assert!(error.to_string().contains("signed by none"), "{error}");
    let lists = RevocationLists::load(&crl, &[der(&ours), der(&theirs)]).unwrap();
    let roots = LegacyRoots::new(vec![der(&ours)], &provider()).without(lists);
    let certificate = signed(&nameless("node-1"), &ours);
    let error = roots.verify(&certificate, Purpose::Client, UnixTime::now());
    assert_eq!(
        error.err().unwrap(),
        CertificateError::UnknownRevocationStatus
    );
}
