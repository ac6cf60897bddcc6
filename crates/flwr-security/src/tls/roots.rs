//! The certificates that are trusted.
//!
//! A root that has expired is not trusted. X.509 leaves that to each verifier, and webpki does not
//! look. We do, for three reasons: its owner has said until when its key is to be relied on, and a
//! key that is kept no longer may have come into other hands; pip's flwr refuses it too, so that
//! programs of both makers stay exchangeable; and legacy certificates are checked so already. It is
//! told 30 days before. A file that also holds the root's successor works on.
//!
//! Of a root nothing else counts but its name and key, as in RFC 5280 (6.1) and with pip's flwr: the
//! user says what it may sign.

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Trusted certificates.
#[derive(Debug)]
pub(super) struct Roots {
    roots: Vec<Root>,
    store: RootCertStore,
}

#[derive(Debug)]
struct Root {
    der: CertificateDer<'static>,
    /// The subject's name in DER.
    subject: Vec<u8>,
    /// Seconds since 1970.
    valid: (i64, i64),
}

impl Roots {
    /// Trusts the certificates that are in `store` too.
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>, store: RootCertStore) -> Self {
        let roots = certificates.into_iter().filter_map(Root::new).collect();
        Self { roots, store }
    }

    /// For webpki.
    pub(super) const fn store(&self) -> &RootCertStore {
        &self.store
    }

    /// Whether this very certificate is one of the roots.
    pub(super) fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.roots.iter().any(|root| root.der == *certificate)
    }

    /// The roots with this name.
    pub(super) fn with_subject<'a>(
        &'a self,
        subject: &[u8],
    ) -> impl Iterator<Item = X509Certificate<'a>> {
        let roots = self
            .roots
            .iter()
            .filter(move |root| root.subject == subject);
        roots.filter_map(|root| Some(X509Certificate::from_der(&root.der).ok()?.1))
    }

    /// Whether all roots are of now: then webpki, which does not look at their dates, needs no help.
    pub(super) fn are_current(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut roots = self.roots.iter();
        roots.all(|root| (root.valid.0..=root.valid.1).contains(&now))
    }
}

impl Root {
    /// `None` for what only webpki can read.
    fn new(der: CertificateDer<'static>) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(&der).ok()?;
        let validity = read.validity();
        Some(Self {
            subject: read.subject().as_raw().to_vec(),
            valid: (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ),
            der,
        })
    }
}
