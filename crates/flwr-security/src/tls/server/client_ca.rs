//! Loads the CA for client certificates, with its revocations.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use super::super::chain::Purpose;
use super::super::dated::{Dated, Role};
use super::super::legacy::{LegacyClientVerifier, LegacyRoots};
use super::super::revocation::RevocationLists;
use super::super::roots::Roots;
use super::super::strict::StrictClientVerifier;
use super::super::{TlsError, certificates, file_roots, provider};
use super::ClientCa;

impl ClientCa {
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        certificates(&self.ca, Some(Purpose::Client))
    }

    pub(super) fn revoked(&self) -> Result<RevocationLists, TlsError> {
        match &self.crl {
            None => Ok(RevocationLists::none()),
            Some(path) => RevocationLists::load(path, &self.authorities()?),
        }
    }

    pub(super) fn dated(&self, lists: &RevocationLists) -> Result<Vec<Dated>, TlsError> {
        let mut dated = Dated::of_authorities(&self.ca, Role::ClientCa, &self.authorities()?);
        dated.extend(lists.dated());
        Ok(dated)
    }

    pub(super) fn verifier(
        &self,
        lists: RevocationLists,
        legacy: bool,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let roots = file_roots(&self.ca, Purpose::Client)?;
        let webpki = self.webpki(&roots, &lists)?;
        let strict = StrictClientVerifier::new(webpki, roots, lists.clone());
        if !legacy {
            return Ok(Arc::new(strict));
        }
        let roots = LegacyRoots::new(self.authorities()?, &provider()).without(lists);
        Ok(Arc::new(LegacyClientVerifier::new(Arc::new(strict), roots)))
    }

    pub(super) fn webpki(
        &self,
        roots: &Roots,
        lists: &RevocationLists,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let store = Arc::new(roots.store().clone());
        WebPkiClientVerifier::builder_with_provider(store, provider())
            .with_crls(lists.der())
            .only_check_end_entity_revocation()
            .build()
            .map_err(|error| TlsError::Crl {
                path: self.crl.clone().unwrap_or_else(|| self.ca.clone()),
                problem: error.to_string(),
            })
    }
}
