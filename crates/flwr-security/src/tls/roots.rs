//! The trusted root certificates.
//!
//! We refuse an expired root. X.509 leaves this to each verifier, and webpki does not check. Our
//! reasons:
//!
//! - The owner promised to protect the key until that date. Later the key may be in other hands.
//! - pip's flwr refuses expired roots, and programs of both makers must stay exchangeable.
//! - The legacy verifier refuses them already.
//!
//! Daemons warn 30 days before the date. If a file also holds the root's successor, connections go
//! on.
//!
//! Besides the dates, only the name and the key of a root count, as in RFC 5280 (6.1) and with
//! pip's flwr: the user decides what a root may sign.

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
    /// Adds the certificates of `store`.
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>, store: RootCertStore) -> Self {
        let roots = certificates.into_iter().filter_map(Root::new).collect();
        Self { roots, store }
    }

    /// The roots as webpki takes them.
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

    /// Whether all roots are valid now. webpki, which ignores their dates, may then decide alone.
    pub(super) fn are_current(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let mut roots = self.roots.iter();
        roots.all(|root| (root.valid.0..=root.valid.1).contains(&now))
    }
}

impl Root {
    /// `None` for certificates that only webpki can read.
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
