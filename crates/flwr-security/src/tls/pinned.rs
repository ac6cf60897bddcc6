//! Trust in one authority, named by the hash of its key: a join token carries this pin. The server shows
//! the authority's certificate at the end of its chain. The chain is checked as a chain up to a trusted
//! root, and only in TLS 1.3.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerIncompatible, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::{self, Purpose};
use super::provider;
use super::reason::{Reason, Refusal};
use super::roots::Roots;
use super::strict::StrictServerVerifier;
use crate::joining::Pin;

/// Checks servers whose authority is pinned.
#[derive(Debug)]
pub(super) struct PinnedServerVerifier {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl PinnedServerVerifier {
    pub(super) fn new(pin: Pin) -> Self {
        let provider = provider();
        Self { pin, provider }
    }
}

/// The pin of an authority. `None`: the certificate cannot be read.
#[must_use]
pub fn pin_of(authority: &CertificateDer<'_>) -> Option<Pin> {
    let (_, read) = X509Certificate::from_der(authority).ok()?;
    Some(Pin::of_spki(read.tbs_certificate.subject_pki.raw))
}

/// The certificate of the authority with this pin, in a chain that a server has shown.
#[must_use]
pub fn pinned<'a, 'b: 'a>(
    pin: &Pin,
    chain: impl IntoIterator<Item = &'a CertificateDer<'b>>,
) -> Option<&'a CertificateDer<'b>> {
    let mut chain = chain.into_iter();
    chain.find(|shown| pin_of(shown).as_ref() == Some(pin))
}

/// Whether a chain, the server's own certificate first, ends at this authority now.
#[must_use]
pub fn is_proven_by(chain: &[CertificateDer<'_>], authority: &CertificateDer<'_>) -> bool {
    let Some((own, others)) = chain.split_first() else {
        return false;
    };
    let Some(roots) = only(authority) else {
        return false;
    };
    let now = UnixTime::now();
    roots.contains(own) || chain::examine(own, others, &roots, now, Purpose::Server).is_ok()
}

/// One authority as the only root.
fn only(authority: &CertificateDer<'_>) -> Option<Roots> {
    let authority = authority.clone().into_owned();
    let mut store = RootCertStore::empty();
    store.add(authority.clone()).ok()?;
    Some(Roots::new(vec![authority], store))
}

/// The server comes from another authority.
fn foreign() -> Error {
    let refusal = Refusal(Reason::OtherAuthority);
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

impl ServerCertVerifier for PinnedServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = [end_entity].into_iter().chain(intermediates);
        let root = pinned(&self.pin, shown)
            .and_then(only)
            .ok_or_else(foreign)?;
        let strict = StrictServerVerifier::new(root).map_err(|_| foreign())?;
        strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    /// Never asked: the configuration has TLS 1.3 only.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
