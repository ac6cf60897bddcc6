//! A certificate of one's own, with its private key, from two files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Certificate, Reason, TlsError, certificates, private_key, provider};

/// Where one's own certificate is, with its chain if there is one, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

/// What is in these files.
pub(super) struct Loaded {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) certificate: Certificate,
    pub(super) key: Arc<SingleCertAndKey>,
}

impl Identity {
    /// Reads certificate and key. A certificate that only legacy verifiers accept is refused,
    /// unless `legacy` ones are.
    pub(super) fn load(&self, legacy: bool) -> Result<Loaded, TlsError> {
        let chain = certificates(&self.certificate)?;
        let private = private_key(&self.key)?;
        let refused = |reason| TlsError::Certificate {
            path: self.certificate.clone(),
            reason,
        };
        let certificate = Certificate::read(&chain[0]).map_err(refused)?;
        if !certificate.is_v3 && !legacy {
            return Err(refused(Reason::Version));
        }
        let signer = provider()
            .key_provider
            .load_private_key(private)
            .map_err(|_| TlsError::UnsupportedKey(self.key.clone()))?;
        // rustls would compare them too, but reads no certificate of version 1.
        let public = X509Certificate::from_der(&chain[0])
            .map(|(_, certificate)| certificate.public_key().raw.to_vec())
            .map_err(|_| refused(Reason::Malformed))?;
        if signer.public_key().is_some_and(|own| *own != *public) {
            return Err(TlsError::Mismatch {
                key: self.key.clone(),
                certificate: self.certificate.clone(),
            });
        }
        Ok(Loaded {
            key: Arc::new(CertifiedKey::new(chain.clone(), signer).into()),
            certificate,
            chain,
        })
    }
}
