//! The certificates that are trusted.
//!
//! A root that has expired is not trusted. X.509 leaves that to each verifier, and webpki does not
//! look. We do, for three reasons: its owner has said until when its key is to be relied on, and a
//! key that is kept no longer may have come into other hands; pip's flwr refuses it too, so that
//! programs of both makers stay exchangeable; and legacy certificates are checked so already. It is
//! told 30 days before. A file that also holds the root's successor works on.

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::{self, Purpose};

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
    /// What the root says of itself that webpki does not look at.
    limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limits {
    /// It signs whatever it likes.
    None,
    /// It allows so many CAs below it.
    PathLength,
    /// It signs nothing, or only for some purposes.
    Signs,
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
        let roots = self.roots.iter().filter(move |root| root.subject == subject);
        roots.filter_map(|root| Some(X509Certificate::from_der(&root.der).ok()?.1))
    }

    /// Whether webpki's word is enough: all roots are of now, and limit nothing.
    pub(super) fn are_plain(&self, now: UnixTime, between: &[CertificateDer<'_>]) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.roots.iter().all(|root| {
            let (from, until) = root.valid;
            (from..=until).contains(&now)
                && match root.limits {
                    Limits::None => true,
                    Limits::PathLength => between.is_empty(),
                    Limits::Signs => false,
                }
        })
    }
}

impl Root {
    /// `None` for what only webpki can read.
    fn new(der: CertificateDer<'static>) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(&der).ok()?;
        let validity = read.validity();
        let constraints = chain::constraints(&read);
        let is_no_ca = constraints.as_ref().is_some_and(|found| !found.ca);
        let for_all = [Purpose::Server, Purpose::Client]
            .into_iter()
            .all(|purpose| chain::is_meant_for(&read, purpose, true));
        let limits = if is_no_ca || !for_all || !chain::may_sign(&read) {
            Limits::Signs
        } else if constraints.is_some_and(|found| found.path_len_constraint.is_some()) {
            Limits::PathLength
        } else {
            Limits::None
        };
        Some(Self {
            subject: read.subject().as_raw().to_vec(),
            valid: (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ),
            limits,
            der,
        })
    }
}
