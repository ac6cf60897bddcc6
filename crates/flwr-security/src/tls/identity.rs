//! Our own certificate with its private key, from two files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Certificate, Reason, TlsError, certificates, private_keys, provider};
use crate::private_files;

/// The files of our own certificate (with its chain, if any) and private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The key's file.
    pub key: PathBuf,
}

/// The content of these files.
pub(crate) struct Loaded {
    /// The certificate, and those of its CAs.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(crate) certificate: Certificate,
    pub(super) key: Arc<SingleCertAndKey>,
    signer: Arc<dyn SigningKey>,
    /// Flaws that we correct here, and that other programs do not.
    pub(super) advice: Option<String>,
}

impl Identity {
    /// The warning about a key that other users can read.
    pub(super) fn exposed(&self) -> Option<String> {
        private_files::exposed(&self.key)
    }

    /// Reads certificate and key. A certificate that only legacy verifiers accept is refused,
    /// unless `legacy` ones are. If a file holds several certificates or keys, in any order, those
    /// that belong together are taken.
    pub(crate) fn load(&self, legacy: bool) -> Result<Loaded, TlsError> {
        let mut chain = certificates(&self.certificate, None)?;
        let refused = |reason| TlsError::Certificate {
            path: self.certificate.clone(),
            reason,
        };
        let first = Certificate::read(&chain[0]).map_err(refused)?;
        if !first.is_v3 && !legacy {
            return Err(refused(Reason::Version));
        }
        let (place, signer) = self.pair(&chain)?;
        // Peers take what comes first for the certificate; the order of the others is free.
        let own = chain.remove(place);
        chain.insert(0, own);
        let advice = (place > 0).then(|| {
            "the certificate of the key is not the first in the file: other programs refuse \
             the file; put it first"
                .to_owned()
        });
        let certificate = Certificate::read(&chain[0]).map_err(refused)?;
        if !certificate.is_v3 && !legacy {
            return Err(refused(Reason::Version));
        }
        Ok(Loaded {
            key: Arc::new(CertifiedKey::new(chain.clone(), Arc::clone(&signer)).into()),
            signer,
            certificate,
            chain,
            advice,
        })
    }

    /// The key that belongs to a certificate, and the position of this certificate in the chain.
    fn pair(&self, chain: &[CertificateDer<'_>]) -> Result<(usize, Arc<dyn SigningKey>), TlsError> {
        let mut usable = false;
        // rustls would compare them too, but reads no certificate of version 1.
        let publics: Vec<_> = chain.iter().map(|der| public_key(der)).collect();
        for key in private_keys(&self.key)? {
            let Ok(signer) = provider().key_provider.load_private_key(key) else {
                continue;
            };
            usable = true;
            // Without a public key there is nothing to compare: the first certificate it is.
            let Some(public) = signer.public_key().map(|public| public.to_vec()) else {
                return Ok((0, signer));
            };
            if let Some(place) = publics.iter().position(|of| of.as_ref() == Some(&public)) {
                return Ok((place, signer));
            }
        }
        Err(if usable {
            TlsError::Mismatch {
                key: self.key.clone(),
                certificate: self.certificate.clone(),
            }
        } else {
            TlsError::UnsupportedKey(self.key.clone())
        })
    }
}

impl Loaded {
    /// Shows the authority at the end of the chain, if it is not there.
    pub(super) fn end_with(&mut self, authority: &CertificateDer<'static>) {
        if self.chain.contains(authority) {
            return;
        }
        self.chain.push(authority.clone());
        let key = CertifiedKey::new(self.chain.clone(), Arc::clone(&self.signer));
        self.key = Arc::new(key.into());
    }
}

fn public_key(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.public_key().raw.to_vec())
}
