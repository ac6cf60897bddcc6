//! The TLS of one port: what the next connection gets, and which client certificates are good there.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{PortTls, Source};
use crate::tls::Reason;

impl PortTls {
    /// The configuration for the next connection.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        match &self.0 {
            Source::Fixed(config) => Arc::clone(config),
            Source::Shared { tls, asks } => Arc::clone(&tls.now.read().port(*asks).config),
        }
    }

    /// Checks again a certificate that a client has shown, with those of its CAs behind it, by the
    /// files as they were loaded last.
    ///
    /// # Errors
    /// If a client that shows it now would be refused.
    pub fn check(&self, shown: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Reason> {
        let (Some(verifier), Some((own, others))) = (self.verifier(), shown.split_first()) else {
            return Ok(());
        };
        let verdict = verifier.verify_client_cert(own, others, now);
        verdict.map(drop).map_err(|refusal| Reason::from(&refusal))
    }
}

impl PortTls {
    /// Whether clients are asked for certificates.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.verifier().is_some()
    }

    /// Checks, for a request, what its client has shown at the handshake of another port. `None`: the
    /// client has shown nothing.
    ///
    /// # Errors
    /// If this port would refuse the client.
    pub fn require(
        &self,
        shown: Option<&[CertificateDer<'_>]>,
        now: UnixTime,
    ) -> Result<(), String> {
        match shown {
            None if self.asks() => Err("the client shows none".to_owned()),
            None => Ok(()),
            Some(shown) => self.check(shown, now).map_err(|why| why.to_string()),
        }
    }

    pub(super) fn verifier(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Shared { tls, asks } => tls.now.read().port(*asks).verifier.clone(),
        }
    }
}

impl From<Arc<ServerConfig>> for PortTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(Source::Fixed(config))
    }
}

impl fmt::Debug for PortTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PortTls(…)")
    }
}
