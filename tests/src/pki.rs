//! Certificates for tests, good ones and bad ones.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// The files of an authority and of one server.
#[derive(Clone, Debug)]
pub struct Pki {
    /// What clients trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's private key.
    pub key: PathBuf,
}

/// What is wrong with a certificate, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing: it is for localhost, 127.0.0.1 and ::1.
    None,
    /// Its time was over yesterday.
    Expired,
    /// It is for superlink.example.org only.
    OtherName,
}

/// The flags by which a SuperLink has the certificates that `flwr cert new` makes in its folder.
pub const SERVER_FLAGS: [&str; 6] = [
    "--ssl-ca-certfile",
    "certificates/ca.crt",
    "--ssl-certfile",
    "certificates/server.pem",
    "--ssl-keyfile",
    "certificates/server.key",
];

/// Makes an authority and a certificate signed by it, in `folder`.
///
/// # Panics
/// If the files cannot be written.
#[must_use]
pub fn make(folder: &Path, flaw: Flaw) -> Pki {
    fs::create_dir_all(folder).unwrap();
    let authority =
        CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = server(flaw).signed_by(&key, &authority).unwrap();
    let pki = Pki {
        ca: folder.join("ca.crt"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    fs::write(&pki.ca, authority.pem()).unwrap();
    fs::write(&pki.certificate, certificate.pem()).unwrap();
    fs::write(&pki.key, key.serialize_pem()).unwrap();
    pki
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "CA of a test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn server(flaw: Flaw) -> CertificateParams {
    let names: &[&str] = match flaw {
        Flaw::OtherName => &["superlink.example.org"],
        Flaw::None | Flaw::Expired => &["localhost", "127.0.0.1", "::1"],
    };
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "server of a test");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(30);
    params.not_after = match flaw {
        Flaw::Expired => now - Duration::days(1),
        Flaw::None | Flaw::OtherName => now + Duration::days(30),
    };
    params
}
