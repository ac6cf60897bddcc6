//! TLS configurations from the files of the command line, and what goes wrong in handshakes.
//!
//! rustls with aws-lc-rs, TLS 1.2 and 1.3, ALPN `h2` (gRPC asks for it). Keys may be PKCS#8,
//! PKCS#1 or SEC 1, of RSA, P-256, P-384, P-521 or Ed25519, or NIST keys in OpenSSH's format.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_native_certs::CertificateResult;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use zeroize::Zeroizing;

mod advice;
mod certificate;
mod chain;
mod client;
mod dated;
pub(crate) mod encoding;
mod end_point;
mod flaw;
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod legacy;
mod localhost;
mod pinned;
mod proof;
mod reason;
mod revocation;
mod roots;
mod server;
mod signed;
mod strict;

pub use certificate::{Certificate, Issued};
pub(crate) use certificate::{NODE_USE, rare_key, small_rsa};
#[cfg(test)]
pub(crate) use chain::has_signed;
pub use client::{ClientFiles, ClientTls};
pub use dated::{Dated, Standing};
pub use end_point::server_end_point;
pub use flaw::{Flaw, Problem, Whose};
pub use identity::Identity;
pub use localhost::Localhost;
pub use pinned::{is_proven_by, pin_of, pinned};
pub use reason::{Reason, explain};
pub use server::{ClientCa, PortTls, ServerFiles, ServerTls};
pub(crate) use signed::{is_signed, weakness};

use crate::key::PrivateKey;
use chain::Purpose;
use encoding::{PemText, Unreadable, Wanted};
use roots::Roots;

/// What gRPC speaks over TLS.
const ALPN: &[u8] = b"h2";
/// What peers of flwr 1.37 and later speak over TLS.
const HTTP_1: &[u8] = b"http/1.1";

/// Why TLS cannot be set up. Each names the file at fault.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{0}: the file is empty")]
    Empty(PathBuf),
    /// No certificate in it.
    #[error("{0}: no certificate in it: PEM text with `BEGIN CERTIFICATE` is expected")]
    NoCertificate(PathBuf),
    /// The text around a certificate or key is damaged.
    #[error("{0}: damaged PEM text")]
    Pem(PathBuf),
    /// Another encoding, or another thing.
    #[error("{path}: it holds {found}, and PEM text of {wanted} is expected: {way_out}")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What is in the file.
        found: &'static str,
        /// What should be.
        wanted: &'static str,
        /// How to get that.
        way_out: String,
    },
    /// Certificates whose own trust settings exclude what they are given for.
    #[error(
        "{0}: the trust settings of its `TRUSTED CERTIFICATE` exclude this use: `openssl x509 -in FILE -out NEW` writes it without them"
    )]
    Distrusted(PathBuf),
    /// No private key in it.
    #[error(
        "{0}: no private key in it: PEM text with `BEGIN PRIVATE KEY` (PKCS#8), `RSA PRIVATE KEY` or `EC PRIVATE KEY` is expected"
    )]
    NoKey(PathBuf),
    /// It needs a passphrase.
    #[error(
        "{0}: the key is encrypted, and a daemon cannot type a passphrase: decrypt it with `openssl pkey -in FILE -out PLAIN`"
    )]
    EncryptedKey(PathBuf),
    /// Some key that TLS cannot use.
    #[error(
        "{0}: not a key that TLS can use: RSA (2048 bits or more), EC P-256 or EC P-384 is expected (EC P-521 and Ed25519 work with few peers)"
    )]
    UnsupportedKey(PathBuf),
    /// Key and certificate are of two pairs.
    #[error("{key}: it is not the key of the certificate in {certificate}")]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// A certificate that TLS cannot use.
    #[error("{path}: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Reason,
    },
    /// Not a list of revoked certificates.
    #[error(
        "{0}: no certificate revocation list in it: PEM text with `BEGIN X509 CRL` is expected"
    )]
    NoCrl(PathBuf),
    /// One that nobody of the trusted has signed, or that is damaged.
    #[error("{path}: {problem}")]
    Crl {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A CA for nodes that signs for others, too.
    #[error(
        "{path}: {subject} is in {others}, or a CA there has signed it; nodes that join need a CA of their own: make it with `flwr cert ca`"
    )]
    NodeCa {
        /// The file.
        path: PathBuf,
        /// The subject of the CA.
        subject: String,
        /// The file of the CAs of others.
        others: PathBuf,
    },
    /// The system has no certificates to trust.
    #[error("the system's certificate store has none to trust: give --root-certificates")]
    NoSystemRoots,
    /// rustls refuses for another reason.
    #[error("TLS cannot be set up")]
    Rustls(#[source] rustls::Error),
}

impl TlsError {
    /// The file at fault, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Read { path, .. }
            | Self::Empty(path)
            | Self::NoCertificate(path)
            | Self::Pem(path)
            | Self::Encoding { path, .. }
            | Self::Distrusted(path)
            | Self::NoKey(path)
            | Self::EncryptedKey(path)
            | Self::UnsupportedKey(path)
            | Self::Mismatch { key: path, .. }
            | Self::Certificate { path, .. }
            | Self::NoCrl(path)
            | Self::NodeCa { path, .. }
            | Self::Crl { path, .. } => Some(path),
            Self::NoSystemRoots | Self::Rustls(_) => None,
        }
    }
}

/// aws-lc-rs, said here and not by a process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Legacy certificates are checked against signatures of TLS 1.3 only, and nodes join over TLS 1.3 only.
const fn versions(tls13_only: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static TLS13_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    if tls13_only {
        TLS13_ONLY
    } else {
        rustls::DEFAULT_VERSIONS
    }
}

/// The certificates of a file, to trust them for this purpose.
fn file_roots(path: &Path, purpose: Purpose) -> Result<Roots, TlsError> {
    let certificates = certificates(path, Some(purpose))?;
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        let reason = Certificate::read(certificate).err();
        store
            .add(certificate.clone())
            .map_err(|error| TlsError::Certificate {
                path: path.to_owned(),
                reason: reason.unwrap_or_else(|| Reason::from(&error)),
            })?;
    }
    Ok(Roots::new(certificates, store))
}

/// What is damaged in the system's store is logged; the rest of it is trusted all the same.
fn system_roots(system: CertificateResult) -> Result<Roots, TlsError> {
    for error in &system.errors {
        tracing::warn!("the system's certificate store: {error}");
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(system.certs.iter().cloned());
    if store.is_empty() {
        Err(TlsError::NoSystemRoots)
    } else {
        Ok(Roots::new(system.certs, store))
    }
}

/// All certificates of a file; at least one. With a purpose, they are to be trusted for it.
fn certificates(
    path: &Path,
    purpose: Option<Purpose>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = read(path)?;
    let found = PemText::new(&content).certificates(purpose);
    let found = found.map_err(|error| unreadable(error, path))?;
    if found.is_empty() {
        return Err(instead(&content, path, Wanted::Certificate)
            .unwrap_or_else(|| TlsError::NoCertificate(path.to_owned())));
    }
    Ok(found)
}

/// The certificates of a file; at least one.
///
/// # Errors
/// If the file cannot be read, or has none.
pub fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(path, None)
}

/// Certificates in PEM.
#[must_use]
pub fn to_pem(certificates: &[CertificateDer<'_>]) -> String {
    let block = |der: &CertificateDer<'_>| pem::Pem::new("CERTIFICATE", der.to_vec());
    let blocks: Vec<_> = certificates.iter().map(block).collect();
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_many_config(&blocks, lines)
}

/// All private keys of a file that are not encrypted; at least one.
fn private_keys(path: &Path) -> Result<Vec<PrivateKeyDer<'static>>, TlsError> {
    let content = Zeroizing::new(read(path)?);
    let text = PemText::new(&content);
    let has_encrypted = String::from_utf8_lossy(text.bytes()).contains("ENCRYPTED");
    match encoding::private_keys(&text) {
        Ok(keys) if !keys.is_empty() => Ok(keys),
        // Under RFC 1421 a key has headers, which do not decode.
        _ if has_encrypted => Err(TlsError::EncryptedKey(path.to_owned())),
        Err(error) => Err(unreadable(error, path)),
        Ok(_) => match openssh_key(&text) {
            Some(key) => Ok(vec![key]),
            None => Err(instead(&content, path, Wanted::Key)
                .unwrap_or_else(|| TlsError::NoKey(path.to_owned()))),
        },
    }
}

/// The key of a SuperNode that has joined is in OpenSSH's format, and is the key of its client
/// certificate too. `None` for other kinds of keys, and for encrypted ones.
fn openssh_key(text: &PemText) -> Option<PrivateKeyDer<'static>> {
    let text = std::str::from_utf8(text.bytes()).ok()?;
    let key = PrivateKey::parse(text).ok()?.to_pkcs8()?;
    Some(PrivatePkcs8KeyDer::from(key.to_vec()).into())
}

fn unreadable(error: Unreadable, path: &Path) -> TlsError {
    match error {
        Unreadable::Damaged => TlsError::Pem(path.to_owned()),
        Unreadable::Distrusted => TlsError::Distrusted(path.to_owned()),
    }
}

/// What the file holds instead, if that can be told.
fn instead(content: &[u8], path: &Path, wanted: Wanted) -> Option<TlsError> {
    let (found, way_out) = encoding::found_instead(content, path, wanted)?;
    Some(TlsError::Encoding {
        path: path.to_owned(),
        found,
        wanted: wanted.name(),
        way_out,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let content = fs::read(path);
    let content = content.map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })?;
    if content.trim_ascii().is_empty() {
        Err(TlsError::Empty(path.to_owned()))
    } else {
        Ok(content)
    }
}

#[cfg(test)]
mod tests;
