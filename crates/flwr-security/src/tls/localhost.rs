//! Accepts certificates for `localhost` beside those for the dialled name.
//!
//! Guides for mutual TLS make a certificate for `localhost` and dial another name. Their clients
//! check for `localhost` unless the user gives another name. A private CA makes this acceptable:
//! every certificate of that CA for `localhost` is then as good as the SuperLink's.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tracing::warn;

use super::proof::proven_by;

/// Where a certificate for `localhost` counts beside the address's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Localhost {
    /// Nowhere: the certificate is for the address's name.
    #[default]
    Never,
    /// Where the address is a loopback address, or `localhost` itself.
    OnLoopback,
    /// At each address. A warning is logged if the address is of another machine.
    Anywhere,
}

/// Checks the address's name first, and then `localhost`.
pub(super) struct LocalhostVerifier {
    inner: Arc<dyn ServerCertVerifier>,
    accepted: Localhost,
    warned: AtomicBool,
}

impl LocalhostVerifier {
    pub(super) const fn new(inner: Arc<dyn ServerCertVerifier>, accepted: Localhost) -> Self {
        Self {
            inner,
            accepted,
            warned: AtomicBool::new(false),
        }
    }

    /// Logs once that a certificate was accepted for another name than the address's.
    fn warn(&self, wanted: &ServerName<'_>) {
        if is_loopback(wanted) || self.warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let wanted = wanted.to_str();
        warn!(
            "the SuperLink's certificate is for localhost, not for {wanted}. It is accepted, since \
             --config has ssl_root_cert and no options. Give --server-name localhost if that is \
             right: other certificates for localhost by this CA are accepted too"
        );
    }
}

impl ServerCertVerifier for LocalhostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |name: &ServerName<'_>| {
            self.inner
                .verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
        };
        let counts = match self.accepted {
            Localhost::Never => false,
            Localhost::OnLoopback => is_loopback(server_name),
            Localhost::Anywhere => true,
        };
        match verify(server_name) {
            Err(refusal) if counts && is_about_the_name(&refusal) => {
                let localhost = ServerName::try_from("localhost");
                let localhost = localhost.map_err(|_| refusal.clone())?;
                let verified = verify(&localhost).map_err(|_| refusal)?;
                self.warn(server_name);
                Ok(verified)
            }
            verdict => verdict,
        }
    }

    proven_by!(inner);
}

fn is_about_the_name(refusal: &Error) -> bool {
    matches!(
        refusal,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

fn is_loopback(name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        ServerName::IpAddress(address) => IpAddr::from(*address).is_loopback(),
        _ => false,
    }
}

impl fmt::Debug for LocalhostVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalhostVerifier").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
