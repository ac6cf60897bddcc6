//! Certificates for a federation: a CA of its own, and a server certificate that it signed.

use std::fs::DirBuilder;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType,
};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

/// The names that a server on this machine has.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Backdating of what is made, for peers whose clocks are behind.
const BACKDATED: Duration = Duration::HOUR;

/// What to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// Host names and IP addresses of the server, besides [`LOCAL_NAMES`].
    pub names: Vec<String>,
    /// For how many days it is valid.
    pub days: u32,
}

/// A CA and a server certificate, as PEM text.
#[derive(Clone)]
pub struct Pki {
    /// The CA's certificate: what clients trust.
    pub ca: String,
    /// The CA's private key.
    pub ca_key: String,
    /// The server's certificate.
    pub server: String,
    /// The server's private key.
    pub server_key: String,
}

/// Why there are no certificates.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file is there, and nobody asked to replace it.
    #[error("{0} exists already: nothing was changed; use --force to replace it")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{path}: cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A name that a certificate cannot have.
    #[error("{0:?} is not a host name or IP address")]
    Name(String),
    /// The certificate cannot be made.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
}

impl Pki {
    /// The files of a directory, in the order of [`Self::write`].
    pub const FILES: [&str; 4] = ["ca.crt", "ca.key", "server.pem", "server.key"];

    /// Makes a CA and a server certificate (EC P-384).
    ///
    /// # Errors
    /// If a name is none.
    pub fn make(request: &Request) -> Result<Self, PkiError> {
        let issuer = CertifiedIssuer::self_signed(ca_params(request.days), new_key()?)?;
        let server_key = new_key()?;
        let server = server_params(request)?.signed_by(&server_key, &issuer)?;
        Ok(Self {
            ca: issuer.pem(),
            ca_key: issuer.key().serialize_pem(),
            server: server.pem(),
            server_key: server_key.serialize_pem(),
        })
    }

    /// Writes `ca.crt`, `ca.key`, `server.pem` and `server.key`; the keys for their owner only.
    ///
    /// # Errors
    /// If one exists and `force` does not say to replace it, or cannot be written.
    pub fn write(&self, dir: &Path, force: bool) -> Result<Vec<PathBuf>, PkiError> {
        let contents = [&self.ca, &self.ca_key, &self.server, &self.server_key];
        let paths = Self::FILES.map(|name| dir.join(name));
        if let Some(exists) = paths.iter().find(|path| !force && path.exists()) {
            return Err(PkiError::Exists(exists.clone()));
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| PkiError::Write { path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(dir)
            .map_err(failed(dir))?;
        for (path, content) in paths.iter().zip(contents) {
            let mode = if path.extension().is_some_and(|kind| kind == "key") {
                0o600
            } else {
                0o644
            };
            crate::file::write(path, mode, content.as_bytes()).map_err(failed(path))?;
        }
        Ok(paths.to_vec())
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?)
}

fn ca_params(days: u32) -> CertificateParams {
    let mut params = params("Flower local CA", days);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(request: &Request) -> Result<CertificateParams, PkiError> {
    let given = request.names.iter().map(String::as_str);
    let mut names: Vec<&str> = Vec::new();
    for name in given.chain(LOCAL_NAMES) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut params = params(names[0], request.days);
    params.subject_alt_names = names.into_iter().map(alt_name).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(name: &str, days: u32) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Flower");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(days.into());
    params
}

fn alt_name(name: &str) -> Result<SanType, PkiError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let host = rustls_pki_types::DnsName::try_from(name).is_ok() || name.starts_with("*.");
    match name.try_into() {
        Ok(text) if host => Ok(SanType::DnsName(text)),
        _ => Err(PkiError::Name(name.to_owned())),
    }
}

/// Keys are in it: it is not printed.
impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pki(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::tls::{ClientTls, ServerTls};

    fn request() -> Request {
        Request {
            names: vec!["superlink.example.org".to_owned(), "10.1.2.3".to_owned()],
            days: 30,
        }
    }

    #[test]
    fn what_is_made_is_what_a_server_and_its_clients_take() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Pki::make(&request())
            .unwrap()
            .write(dir.path(), false)
            .unwrap();
        let tls = ServerTls::load(&paths[0], &paths[2], &paths[3]).unwrap();
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
        ClientTls::load(Some(&paths[0])).unwrap();
    }

    #[test]
    fn keys_are_private_and_nothing_is_replaced_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::make(&request()).unwrap();
        let paths = pki.write(dir.path(), false).unwrap();
        for path in [&paths[1], &paths[3]] {
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        let before = fs::read(&paths[2]).unwrap();
        let again = Pki::make(&request()).unwrap();
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
}
