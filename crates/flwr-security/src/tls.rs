//! TLS configurations from the files of the command line, and what goes wrong in handshakes.
//!
//! rustls with aws-lc-rs, TLS 1.2 and 1.3, ALPN `h2` (gRPC asks for it). Keys may be PKCS#8,
//! PKCS#1 or SEC 1, of RSA, P-256, P-384 or Ed25519.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_native_certs::CertificateResult;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

mod certificate;
mod client;
mod identity;
mod legacy;
mod localhost;
mod proof;
mod reason;
mod revocation;
mod server;
mod signed;
mod strict;

pub use certificate::Certificate;
pub use client::{ClientFiles, ClientTls};
pub use identity::Identity;
pub use localhost::Localhost;
pub use reason::{Reason, explain};
pub use server::{ClientCa, PortTls, ServerFiles, ServerTls};

/// What gRPC speaks over TLS.
const ALPN: &[u8] = b"h2";

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
        "{0}: not a key that TLS can use: RSA (2048 bits or more), EC P-256, EC P-384 or Ed25519 is expected"
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
            | Self::NoKey(path)
            | Self::EncryptedKey(path)
            | Self::UnsupportedKey(path)
            | Self::Mismatch { key: path, .. }
            | Self::Certificate { path, .. }
            | Self::NoCrl(path)
            | Self::Crl { path, .. } => Some(path),
            Self::NoSystemRoots | Self::Rustls(_) => None,
        }
    }
}

/// aws-lc-rs, said here and not by a process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Legacy certificates are checked against signatures of TLS 1.3 only.
const fn versions(legacy: bool) -> &'static [&'static rustls::SupportedProtocolVersion] {
    static TLS13_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
    if legacy {
        TLS13_ONLY
    } else {
        rustls::DEFAULT_VERSIONS
    }
}

fn file_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        let reason = Certificate::read(&certificate).err();
        store
            .add(certificate)
            .map_err(|error| TlsError::Certificate {
                path: path.to_owned(),
                reason: reason.unwrap_or_else(|| Reason::from(&error)),
            })?;
    }
    Ok(store)
}

/// What is damaged in the system's store is logged; the rest of it is trusted all the same.
fn system_roots(system: CertificateResult) -> Result<RootCertStore, TlsError> {
    for error in &system.errors {
        tracing::warn!("the system's certificate store: {error}");
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(system.certs);
    if store.is_empty() {
        Err(TlsError::NoSystemRoots)
    } else {
        Ok(store)
    }
}

/// All certificates of a file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|_| TlsError::Pem(path.to_owned()))?;
    if certificates.is_empty() {
        Err(TlsError::NoCertificate(path.to_owned()))
    } else {
        Ok(certificates)
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        let path = path.to_owned();
        let encrypted = String::from_utf8_lossy(&text).contains("ENCRYPTED");
        match error {
            _ if encrypted => TlsError::EncryptedKey(path),
            rustls_pki_types::pem::Error::NoItemsFound => TlsError::NoKey(path),
            _ => TlsError::Pem(path),
        }
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
pub(crate) mod tests;
