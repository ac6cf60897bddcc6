//! Where a server's certificate comes from: what a client must know of the server before it trusts the
//! server's authority.

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::ServerTls;
use crate::joining::Pin;
use crate::tls::chain::{self, Purpose};
use crate::tls::pin_of;
use crate::tls::roots::Roots;
use crate::tls::strict::require_name;

/// A server's certificate, and the authorities of its file.
pub(super) struct Origin {
    own: CertificateDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
    /// The authority to which the certificate's chain leads. `None`: it leads to none of the file.
    authority: Option<CertificateDer<'static>>,
}

impl Origin {
    pub(super) fn new(
        shown: &[CertificateDer<'static>],
        authorities: Vec<CertificateDer<'static>>,
    ) -> Self {
        let authority = find(shown, &authorities);
        Self {
            own: shown[0].clone(),
            authorities,
            authority,
        }
    }

    pub(super) const fn authority(&self) -> Option<&CertificateDer<'static>> {
        self.authority.as_ref()
    }
}

fn find(
    shown: &[CertificateDer<'static>],
    authorities: &[CertificateDer<'static>],
) -> Option<CertificateDer<'static>> {
    let (own, others) = shown.split_first()?;
    if authorities.contains(own) {
        return Some(own.clone());
    }
    let roots = Roots::new(authorities.to_vec(), RootCertStore::empty());
    let path = chain::examine(own, others, &roots, UnixTime::now(), Purpose::Server);
    Some(path.ok()?.root)
}

impl ServerTls {
    /// The pin of the authority to which the chain of the server's certificate leads. `None`: it leads
    /// to none in the file of the CA.
    #[must_use]
    pub fn authority_pin(&self) -> Option<Pin> {
        pin_of(self.now.read().origin.authority()?)
    }

    /// The certificates of the file of the CA, in DER.
    #[must_use]
    pub fn authorities(&self) -> Vec<Vec<u8>> {
        let loaded = self.now.read();
        let authorities = loaded.origin.authorities.iter();
        authorities.map(|authority| authority.to_vec()).collect()
    }

    /// Whether the server's certificate names this host: a DNS name or an IP address.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let loaded = self.now.read();
        ServerName::try_from(host.to_owned())
            .is_ok_and(|name| require_name(&loaded.origin.own, &name).is_ok())
    }
}

#[cfg(test)]
mod tests;
