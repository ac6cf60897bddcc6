//! The checks of today, which say of a certificate of an old form whose it is and what it lacks:
//! webpki would say that it cannot read it, or that it has no name.

use std::sync::Arc;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use thiserror::Error;

use super::proof::proven_by;
use super::{Certificate, Reason};

/// A refusal with its reason, on its way through rustls.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct OldForm(pub(super) Reason);

/// Checks servers.
#[derive(Debug)]
pub(super) struct StrictServerVerifier(pub(super) Arc<dyn ServerCertVerifier>);

/// Checks clients.
#[derive(Debug)]
pub(super) struct StrictClientVerifier(pub(super) Arc<dyn ClientCertVerifier>);

/// The same refusal, in better words if the certificate is of an old form.
fn explained(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let about_form = match &error {
        Error::InvalidCertificate(refusal) => matches!(
            refusal,
            CertificateError::Other(_)
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. }
        ),
        _ => false,
    };
    match Certificate::read(certificate) {
        Ok(certificate) if about_form && certificate.is_legacy() => {
            let reason = Reason::OldForm {
                subject: certificate.subject,
                lacks: if certificate.is_v3 {
                    "it has no subjectAltName"
                } else {
                    "it is of X.509 version 1, without a subjectAltName"
                },
            };
            CertificateError::Other(OtherError(Arc::new(OldForm(reason)))).into()
        }
        _ => error,
    }
}

impl ServerCertVerifier for StrictServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| explained(error, end_entity))
    }

    proven_by!(0);
}

impl ClientCertVerifier for StrictClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self.0.verify_client_cert(end_entity, intermediates, now);
        verdict.map_err(|error| explained(error, end_entity))
    }

    proven_by!(0);
}
