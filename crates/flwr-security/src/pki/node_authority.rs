//! The CA for nodes: issues the client certificates of nodes that join a SuperLink.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_core::id::NodeId;
use parking_lot::RwLock;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, SerialNumber, SubjectPublicKeyInfo,
};
use rustls_pki_types::PrivateKeyDer;
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::{Authority, BACKDATED, PkiError, Purpose};
use crate::key::{KeyError, PrivateKey, PublicKey};
use crate::tls::is_signed;

/// How long a node's certificate is valid. The node renews the certificate from two thirds of that on.
const LIFETIME: Duration = Duration::days(30);

/// The CA for nodes, from its two files.
#[derive(Debug)]
pub struct NodeAuthority {
    certificate: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<Authority>>,
}

/// Why a node gets no certificate.
#[derive(Debug, Error)]
pub enum IssueError {
    /// The request is none, or is not the node's.
    #[error("{0}")]
    Request(&'static str),
    /// The CA's own certificate has expired.
    #[error("the CA certificate in {path} expired on {}: replace it", .until.date())]
    Expired {
        /// The file of the CA's certificate.
        path: PathBuf,
        /// When it expired.
        until: OffsetDateTime,
    },
    /// The system has no randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// The certificate cannot be made.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
}

impl NodeAuthority {
    /// Reads the CA: its certificate (PEM) and key.
    ///
    /// # Errors
    /// If a file is not usable, the key is encrypted, or it belongs to none of the certificates.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, PkiError> {
        Ok(Self {
            now: RwLock::new(Arc::new(read(certificate, key)?)),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// As [`Self::load`]. The old CA then stays in use.
    pub fn reload(&self) -> Result<(), PkiError> {
        let authority = Arc::new(read(&self.certificate, &self.key)?);
        *self.now.write() = authority;
        Ok(())
    }

    /// The files to watch for changes.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        vec![self.certificate.clone(), self.key.clone()]
    }

    /// Checks that a node with this request and key gets a certificate.
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn check(
        &self,
        request: &[u8],
        key: &PublicKey,
        now: OffsetDateTime,
    ) -> Result<(), IssueError> {
        requested(request, key)?;
        self.require_current(&self.now.read(), now)
    }

    fn require_current(&self, ca: &Authority, now: OffsetDateTime) -> Result<(), IssueError> {
        let until = ca.until();
        if until > now {
            return Ok(());
        }
        let path = self.certificate.clone();
        Err(IssueError::Expired { path, until })
    }

    /// Issues a certificate for a node, as PEM text. Of the request (PKCS#10 in DER) only its key
    /// counts, which must be the `key` that the node has proven. Another subject, other names or uses in
    /// the request are ignored.
    ///
    /// # Errors
    /// If the request is damaged, not signed by its own key, or for another key.
    pub fn issue(
        &self,
        request: &[u8],
        key: &PublicKey,
        node: NodeId,
        now: OffsetDateTime,
    ) -> Result<String, IssueError> {
        let key = requested(request, key)?;
        let authority = Arc::clone(&self.now.read());
        self.require_current(&authority, now)?;
        let mut serial = [0; 16];
        aws_lc_rs::rand::fill(&mut serial).map_err(|_| IssueError::Random)?;
        // A serial number is positive.
        serial[0] &= 0x7f;
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, node.to_string());
        params.not_before = now - BACKDATED;
        params.not_after = (now + LIFETIME).min(authority.until());
        Purpose::Node.allow(&mut params);
        Ok(authority.certify(&params, &key)?)
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Authority, PkiError> {
    let refuse = || {
        let text = "a daemon cannot type a passphrase: decrypt it with `openssl pkey -in FILE -out PLAIN`, and let nobody else read it";
        Err(text.to_owned())
    };
    Authority::read(certificate, key, refuse)
}

/// The key in a request that this key has signed.
fn requested(request: &[u8], key: &PublicKey) -> Result<SubjectPublicKeyInfo, IssueError> {
    if request.is_empty() {
        return Err(IssueError::Request(
            "is empty: this SuperLink issues a client certificate to each node",
        ));
    }
    let damaged = IssueError::Request("is damaged: PKCS#10 in DER is expected");
    let Ok(([], request)) = X509CertificationRequest::from_der(request) else {
        return Err(damaged);
    };
    let content = &request.certification_request_info;
    let spki = content.subject_pki.raw;
    if spki != key.to_spki() {
        return Err(IssueError::Request("is for another key than the node's"));
    }
    let is_signed = is_signed(
        content.raw,
        &request.signature_algorithm,
        &request.signature_value.data,
        spki,
    );
    if !is_signed {
        return Err(IssueError::Request("is not signed by its key"));
    }
    Ok(SubjectPublicKeyInfo::from_der(spki)?)
}

/// Makes the request of a node for a client certificate: PKCS#10 in DER. It names nothing but the key.
///
/// # Errors
/// If the key cannot sign.
pub fn node_request(key: &PrivateKey) -> Result<Vec<u8>, PkiError> {
    let der = key.to_pkcs8().ok_or(KeyError::Random);
    let der = der.map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let der = PrivateKeyDer::Pkcs8(der.as_slice().into());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&KeyPair::try_from(&der)?)?;
    Ok(request.der().to_vec())
}

#[cfg(test)]
mod tests;
