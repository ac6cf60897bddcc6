//! Strict verification. webpki decides; if webpki refuses, this verifier names the certificate at
//! fault.
//!
//! This verifier refuses two things that webpki accepts: expired roots (see `roots`), and CAs whose
//! key usage does not allow to sign. It accepts three things that webpki refuses. All three are
//! sound, and pip's flwr accepts them:
//!
//! - A CA certificate as the server's own, if exactly this certificate is trusted. `openssl req
//!   -x509` makes such certificates for servers. Only the owner of the key can use the certificate,
//!   and the user trusts exactly this one.
//! - More than six CAs between certificate and root; webpki stops there. `chain` checks such a
//!   chain, and refuses name constraints in it.
//! - An IP address as a DNS name in the subjectAltName (`DNS:127.0.0.1`). The CA has signed exactly
//!   this address. If a CA has name constraints, we refuse: they treat DNS names and addresses
//!   separately.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, OtherError};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::{self, Path, Purpose};
use super::flaw::{Flaw, Problem, Whose};
use super::proof::proven_by;
use super::reason::Refusal;
use super::revocation::RevocationLists;
use super::roots::Roots;
use super::{Certificate, Reason, provider};

/// Checks servers.
#[derive(Debug)]
pub(super) struct StrictServerVerifier {
    webpki: Arc<dyn ServerCertVerifier>,
    roots: Roots,
}

/// Checks clients.
pub(super) struct StrictClientVerifier {
    webpki: Arc<dyn ClientCertVerifier>,
    roots: Roots,
    revoked: RevocationLists,
}

impl StrictServerVerifier {
    pub(super) fn new(roots: Roots) -> Result<Self, VerifierBuilderError> {
        let store = Arc::new(roots.store().clone());
        let webpki = WebPkiServerVerifier::builder_with_provider(store, provider()).build()?;
        Ok(Self { webpki, roots })
    }

    /// Whether a certificate is good that webpki refuses with this error, although there is a good
    /// path to a root. `None` if the error stands.
    fn accepts_all_the_same(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        error: &Error,
        path: Path,
    ) -> Option<Result<ServerCertVerified, Error>> {
        let good = |verdict: Result<(), Error>| verdict.map(|()| ServerCertVerified::assertion());
        if is_too_long(error) {
            let verdict = require_no_limits(&path).and_then(|()| require_name(certificate, name));
            return Some(good(verdict));
        }
        // webpki looks at the name last: all else is good.
        if is_about_name(error) {
            let address = named_as_text(certificate, name)?;
            let flaw = Flaw::of_own(Problem::AddressAsName(address));
            let limited = path.constraints.map(|_| refusal(Reason::Chain(flaw)));
            return Some(good(limited.map_or(Ok(()), Err)));
        }
        constrained(error, path).map(Err)
    }

    /// What a client with these roots would have against a server's certificate. More is said
    /// than in a handshake, where rustls has few words for an unknown issuer.
    pub(super) fn objection(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Option<Reason> {
        let now = UnixTime::now();
        let verdict = self.verify_server_cert(certificate, others, name, &[], now);
        let refused = Reason::from(&verdict.err()?);
        if refused != Reason::UnknownIssuer {
            return Some(refused);
        }
        let found = chain::examine(certificate, others, &self.roots, now, Purpose::Server);
        Some(found.map_or_else(Reason::Chain, |_| refused))
    }
}

impl StrictClientVerifier {
    pub(super) const fn new(
        webpki: Arc<dyn ClientCertVerifier>,
        roots: Roots,
        revoked: RevocationLists,
    ) -> Self {
        Self {
            webpki,
            roots,
            revoked,
        }
    }

    fn require_not_revoked(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let (_, read) =
            X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let (issuer, serial) = (read.issuer().as_raw(), read.raw_serial());
        match self.revoked.is_revoked(issuer, serial) {
            Some(false) => Ok(()),
            Some(true) => Err(CertificateError::Revoked.into()),
            None => Err(CertificateError::UnknownRevocationStatus.into()),
        }
    }
}

fn refusal(reason: Reason) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refusal(reason)))).into()
}

/// The error for a flaw. rustls tells the peer by an alert, for which dates and unknown issuers
/// have words of their own.
fn flawed(flaw: Flaw, time: UnixTime) -> Error {
    let moment = |at: OffsetDateTime| {
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    };
    match (&flaw.whose, &flaw.problem) {
        _ if flaw.is_unknown_issuer() => CertificateError::UnknownIssuer,
        (Whose::Own, Problem::Expired(until)) => CertificateError::ExpiredContext {
            time,
            not_after: moment(*until),
        },
        (Whose::Own, Problem::NotYetValid(from)) => CertificateError::NotValidYetContext {
            time,
            not_before: moment(*from),
        },
        _ => return refusal(Reason::Chain(flaw)),
    }
    .into()
}

/// webpki's refusal, in better words if the certificate is of an old form, or if the search for an
/// issuer has found the cause.
fn explained(
    error: Error,
    certificate: &CertificateDer<'_>,
    found: Option<(Flaw, UnixTime)>,
) -> Error {
    let Error::InvalidCertificate(refused) = &error else {
        return error;
    };
    let is_about_name = is_about_name(&error);
    let is_about_form = is_about_name || matches!(refused, CertificateError::Other(_));
    match Certificate::read(certificate) {
        Ok(certificate) if is_about_form && certificate.is_legacy() => {
            return refusal(Reason::OldForm {
                subject: certificate.subject,
                lacks: if certificate.is_v3 {
                    "it has no subjectAltName"
                } else {
                    "it is of X.509 version 1, without a subjectAltName"
                },
            });
        }
        _ => {}
    }
    match found {
        Some((flaw, now)) if !is_about_name && !is_about_revocation(refused) => flawed(flaw, now),
        _ => error,
    }
}

fn is_about_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

const fn is_about_revocation(refused: &CertificateError) -> bool {
    matches!(
        refused,
        CertificateError::Revoked | CertificateError::UnknownRevocationStatus
    )
}

/// Whether webpki gave up at its limits, without having found fault with the chain.
fn is_too_long(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error else {
        return false;
    };
    matches!(
        other.downcast_ref(),
        Some(
            webpki::Error::MaximumPathDepthExceeded | webpki::Error::MaximumPathBuildCallsExceeded
        )
    )
}

/// What webpki says when a name in the certificate is not one that a CA may sign for.
fn violates_constraints(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(other))) = error else {
        return false;
    };
    matches!(
        other.downcast_ref(),
        Some(webpki::Error::NameConstraintViolation)
    )
}

/// The error of a name that no CA of the path may sign for, in better words.
fn constrained(error: &Error, path: Path) -> Option<Error> {
    let (subject, limits) = path.constraints.filter(|_| violates_constraints(error))?;
    let flaw = Flaw::new(Whose::Ca(subject), Problem::Names(limits));
    Some(refusal(Reason::Chain(flaw)))
}

fn require_no_limits(path: &Path) -> Result<(), Error> {
    match path.constraints {
        None => Ok(()),
        Some(_) => Err(refusal(Reason::Chain(Flaw::of_own(
            Problem::TooLongForNames,
        )))),
    }
}

/// The addresses that a certificate has as DNS names.
pub(super) fn addresses_as_names(certificate: &CertificateDer<'_>) -> Vec<IpAddr> {
    let Ok((_, read)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let names = super::certificate::dns_names(&read);
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// The wanted address, if the certificate has it as a DNS name.
fn named_as_text(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Option<IpAddr> {
    let ServerName::IpAddress(wanted) = name else {
        return None;
    };
    let wanted = IpAddr::from(*wanted);
    let names = addresses_as_names(certificate);
    names.contains(&wanted).then_some(wanted)
}

/// Checks that a server's certificate names the host.
pub(super) fn require_name(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
) -> Result<(), Error> {
    match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
        Err(_) if named_as_text(certificate, name).is_some() => Ok(()),
        verdict => verdict,
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
        if self.roots.contains(end_entity) {
            return chain::examine_pinned(end_entity, now, Purpose::Server)
                .map_err(|flaw| flawed(flaw, now))
                .and_then(|()| require_name(end_entity, server_name))
                .map(|()| ServerCertVerified::assertion())
                .map_err(|error| explained(error, end_entity, None));
        }
        let verdict = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let error = match verdict {
            Ok(verified) if intermediates.is_empty() && self.roots.are_current(now) => {
                return Ok(verified);
            }
            verdict => verdict.err(),
        };
        let roots = &self.roots;
        let examined = chain::examine(end_entity, intermediates, roots, now, Purpose::Server);
        match (error, examined) {
            (None, Ok(_)) => Ok(ServerCertVerified::assertion()),
            (None, Err(flaw)) => Err(flawed(flaw, now)),
            (Some(error), Ok(path)) => {
                let accepted = self.accepts_all_the_same(end_entity, server_name, &error, path);
                let accepted = accepted.unwrap_or(Err(error));
                accepted.map_err(|error| explained(error, end_entity, None))
            }
            (Some(error), Err(flaw)) => Err(explained(error, end_entity, Some((flaw, now)))),
        }
    }

    proven_by!(webpki);
}

impl ClientCertVerifier for StrictClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.roots.contains(end_entity) {
            chain::examine_pinned(end_entity, now, Purpose::Client)
                .map_err(|flaw| flawed(flaw, now))
                .and_then(|()| self.require_not_revoked(end_entity))
                .map_err(|error| explained(error, end_entity, None))?;
            return Ok(ClientCertVerified::assertion());
        }
        let verdict = self
            .webpki
            .verify_client_cert(end_entity, intermediates, now);
        let error = match verdict {
            Ok(verified) if intermediates.is_empty() && self.roots.are_current(now) => {
                return Ok(verified);
            }
            verdict => verdict.err(),
        };
        let roots = &self.roots;
        let examined = chain::examine(end_entity, intermediates, roots, now, Purpose::Client);
        match (error, examined) {
            (None, Ok(_)) => Ok(ClientCertVerified::assertion()),
            (None, Err(flaw)) => Err(flawed(flaw, now)),
            (Some(error), Ok(path)) if is_too_long(&error) => {
                require_no_limits(&path)?;
                self.require_not_revoked(end_entity)?;
                Ok(ClientCertVerified::assertion())
            }
            (Some(error), Ok(path)) => Err(explained(
                constrained(&error, path).unwrap_or(error),
                end_entity,
                None,
            )),
            (Some(error), Err(flaw)) => Err(explained(error, end_entity, Some((flaw, now)))),
        }
    }

    proven_by!(webpki);
}

/// Lists of revoked certificates are long: they are not printed.
impl fmt::Debug for StrictClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StrictClientVerifier")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
