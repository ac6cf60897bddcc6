//! Lists of revoked certificates (CRL), as a CA publishes them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::dated::Dated;
use super::encoding::{self, PemText, Wanted};
use super::signed::is_signed;
use super::{TlsError, instead, read, unreadable};

/// The lists of one file.
#[derive(Clone)]
pub(super) struct RevocationLists {
    path: PathBuf,
    lists: Vec<List>,
}

#[derive(Clone)]
struct List {
    der: CertificateRevocationListDer<'static>,
    /// The issuer's name in DER.
    issuer: Vec<u8>,
    /// The same for people.
    issuer_shown: String,
    published: OffsetDateTime,
    serials: HashSet<Vec<u8>>,
    next_update: Option<OffsetDateTime>,
}

impl RevocationLists {
    /// Nothing is revoked.
    pub(super) fn none() -> Self {
        Self {
            path: PathBuf::new(),
            lists: Vec::new(),
        }
    }

    /// Reads lists, each signed by one of these authorities.
    pub(super) fn load(
        path: &Path,
        authorities: &[CertificateDer<'static>],
    ) -> Result<Self, TlsError> {
        let content = read(path)?;
        let found = encoding::revocation_lists(&PemText::new(&content));
        let found = found.map_err(|error| unreadable(error, path))?;
        if found.is_empty() {
            return Err(instead(&content, path, Wanted::Crl)
                .unwrap_or_else(|| TlsError::NoCrl(path.to_owned())));
        }
        let refused = |problem: &str| TlsError::Crl {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let lists = found
            .into_iter()
            .map(|der| List::read(der, authorities).map_err(refused))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            lists,
        })
    }

    /// For webpki.
    pub(super) fn der(&self) -> Vec<CertificateRevocationListDer<'static>> {
        self.lists.iter().map(|list| list.der.clone()).collect()
    }

    /// Whether the issuer has revoked the certificate with this serial number. `None` if it has no
    /// list here, although others have.
    pub(super) fn is_revoked(&self, issuer: &[u8], serial: &[u8]) -> Option<bool> {
        if self.lists.is_empty() {
            return Some(false);
        }
        let mut own = self
            .lists
            .iter()
            .filter(|list| list.issuer == issuer)
            .peekable();
        own.peek()?;
        Some(own.any(|list| list.serials.contains(serial)))
    }

    /// When a newer list is due, for those that say so.
    pub(super) fn dated(&self) -> Vec<Dated> {
        let lists = self.lists.iter();
        let dated = |list: &List| {
            let (issuer, from) = (&list.issuer_shown, list.published);
            Some(Dated::of_list(&self.path, issuer, from, list.next_update?))
        };
        lists.filter_map(dated).collect()
    }
}

impl List {
    fn read(
        der: CertificateRevocationListDer<'static>,
        authorities: &[CertificateDer<'static>],
    ) -> Result<Self, &'static str> {
        const DAMAGED: &str = "a damaged certificate revocation list";
        const STRANGE: &str = "its list is signed by none of the client CAs that it is given for";
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| DAMAGED)?;
        let signed = |authority: &CertificateDer<'_>| {
            X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
                authority.subject().as_raw() == list.issuer().as_raw()
                    && is_signed(
                        list.tbs_cert_list.as_ref(),
                        &list.signature_algorithm,
                        &list.signature_value.data,
                        authority.public_key().raw,
                    )
            })
        };
        if !authorities.iter().any(signed) {
            return Err(STRANGE);
        }
        let serials = list
            .iter_revoked_certificates()
            .map(|revoked| revoked.raw_serial().to_vec())
            .collect();
        let issuer = list.issuer().as_raw().to_vec();
        let issuer_shown = list.issuer().to_string();
        let published = list.last_update().to_datetime();
        let next_update = list.next_update().map(|next| next.to_datetime());
        Ok(Self {
            issuer,
            issuer_shown,
            published,
            serials,
            next_update,
            der,
        })
    }
}
