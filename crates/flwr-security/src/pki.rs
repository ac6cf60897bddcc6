//! A federation's certificates: a CA, and the certificates that it signs.

use std::fs::DirBuilder;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

mod authority;
mod inspect;
mod key_pem;
mod node_authority;

pub use authority::{Authority, Pair, Purpose, Signed, request};
pub use inspect::{Report, inspect};
pub use key_pem::{Passphrase, PrivateKeyError};
pub use node_authority::{IssueError, NodeAuthority, node_request};

/// The names that a server on this machine has.
pub const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The default Common Name of a CA.
pub const CA_NAME: &str = "Flower local CA";
/// New certificates are valid since this time, for peers whose clocks are behind.
const BACKDATED: Duration = Duration::HOUR;

/// The certificate to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// Host names and IP addresses of the server, besides [`LOCAL_NAMES`].
    pub names: Vec<String>,
    /// The validity in days.
    pub days: u32,
}

/// A CA and a server certificate.
#[derive(Debug)]
pub struct Pki {
    /// The CA: its certificate, which clients trust, and its key.
    pub ca: Pair,
    /// The server's certificate and key.
    pub server: Pair,
}

/// Why certificates could not be made or read.
#[derive(Debug, Error)]
pub enum PkiError {
    /// The file exists, and the caller did not ask to replace it.
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
    /// A file cannot be read.
    #[error("{path}: cannot be read as text")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file has no certificate.
    #[error("{0}: no certificate in it: PEM text with `BEGIN CERTIFICATE` is expected")]
    NoCertificate(PathBuf),
    /// The certificate is no CA's.
    #[error("{0}: it says of itself that it is no CA's certificate: it cannot sign others")]
    NoCa(PathBuf),
    /// The file has another encoding than PEM.
    #[error("{path}: it holds {found}, and PEM text is expected: {way_out}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What is in the file.
        found: &'static str,
        /// The command that converts the file to PEM.
        way_out: String,
    },
    /// The file has none of the known contents.
    #[error(
        "{0}: neither a certificate nor a request, a list of revoked certificates or a private key in it: PEM text is expected"
    )]
    Unknown(PathBuf),
    /// A private key cannot be used.
    #[error("{path}")]
    PrivateKey {
        /// The key's file.
        path: PathBuf,
        /// Why.
        source: PrivateKeyError,
    },
    /// A private key cannot be made.
    #[error("no private key can be made")]
    NewKey(#[source] PrivateKeyError),
    /// The key belongs to another certificate.
    #[error("{key}: it is not the key of the certificate in {certificate}")]
    NoPair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A request that cannot be signed.
    #[error("{path}: it cannot be signed: {problem}")]
    Request {
        /// The request's file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
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
    /// If a name is no host name or IP address.
    pub fn make(request: &Request) -> Result<Self, PkiError> {
        let ca = Authority::make(CA_NAME, request.days, None)?;
        let server = Authority::parse(&ca)?.issue(
            &with_local_names(&request.names),
            request.days,
            Purpose::Server,
        )?;
        Ok(Self { ca, server })
    }

    /// Writes `ca.crt`, `ca.key`, `server.pem` and `server.key`. Only the owner can read the keys.
    ///
    /// # Errors
    /// If a file exists without `force`, or cannot be written.
    pub fn write(&self, dir: &Path, force: bool) -> Result<Vec<PathBuf>, PkiError> {
        let Self { ca, server } = self;
        let contents: [&str; 4] = [&ca.certificate, &ca.key, &server.certificate, &server.key];
        let paths = Self::FILES.map(|name| dir.join(name));
        write(
            &paths
                .iter()
                .map(PathBuf::as_path)
                .zip(contents)
                .collect::<Vec<_>>(),
            force,
        )?;
        Ok(paths.to_vec())
    }
}

/// Writes PEM files, and creates their directories. Only the owner can read files with private
/// keys.
///
/// # Errors
/// If a file exists without `force`, or cannot be written.
pub fn write(files: &[(&Path, &str)], force: bool) -> Result<(), PkiError> {
    if let Some((exists, _)) = files.iter().find(|(path, _)| !force && path.exists()) {
        return Err(PkiError::Exists((*exists).to_owned()));
    }
    for (path, content) in files {
        let failed = |source| PkiError::Write {
            path: (*path).to_owned(),
            source,
        };
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(dir)
                .map_err(failed)?;
        }
        let private = content.contains("PRIVATE KEY-----");
        let mode = if private { 0o600 } else { 0o644 };
        crate::private_files::replace_with_mode(path, mode, content.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// Adds [`LOCAL_NAMES`] to these names.
#[must_use]
pub fn with_local_names(names: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let local = LOCAL_NAMES.iter().map(|name| (*name).to_owned());
    for name in names.iter().cloned().chain(local) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
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

#[cfg(test)]
mod tests;
