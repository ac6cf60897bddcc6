//! Client certificates on a port of several services: any that one of the services takes, or none.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

/// Takes what one of its verifiers takes.
#[derive(Debug)]
pub(super) struct Either {
    first: Arc<dyn ClientCertVerifier>,
    others: Vec<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
}

impl Either {
    /// Of these verifiers. `None`: there are none.
    pub(super) fn of(verifiers: Vec<Arc<dyn ClientCertVerifier>>) -> Option<Self> {
        let hints = verifiers.iter().flat_map(|one| one.root_hint_subjects());
        let hints = hints.cloned().collect();
        let mut verifiers = verifiers.into_iter();
        Some(Self {
            first: verifiers.next()?,
            others: verifiers.collect(),
            hints,
        })
    }
}

impl ClientCertVerifier for Either {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let first = self.first.verify_client_cert(own, others, now);
        let mut verifiers = self.others.iter();
        match first {
            Ok(verified) => Ok(verified),
            Err(refused) => verifiers
                .find_map(|one| one.verify_client_cert(own, others, now).ok())
                .ok_or(refused),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.first
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.first.supported_verify_schemes()
    }
}
