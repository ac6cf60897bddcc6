//! The checks of one certificate, and of its issuer's signature.

use rustls_pki_types::UnixTime;
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS,
};
use x509_parser::prelude::{BasicConstraints, ParsedExtension, X509Certificate, X509Version};

use super::Purpose;
use crate::tls::flaw::{Flaw, Problem};
use crate::tls::signed::is_signed;

/// Checks what a certificate says of itself.
pub(super) fn check_own(
    own: &X509Certificate<'_>,
    now: UnixTime,
    purpose: Purpose,
    is_pinned: bool,
) -> Result<(), Flaw> {
    let flaw = |problem| Err(Flaw::of_own(problem));
    if own.version() != X509Version::V3 || !is_readable(own) {
        return flaw(Problem::Malformed);
    }
    if let Some(problem) = dates(own, now) {
        return flaw(problem);
    }
    if let Some(oid) = unknown_critical(own) {
        return flaw(Problem::Critical(oid));
    }
    if !is_pinned && constraints(own).is_some_and(|constraints| constraints.ca) {
        return flaw(Problem::IsCa);
    }
    if !is_meant_for(own, purpose) {
        return flaw(Problem::Purpose(purpose.name()));
    }
    Ok(())
}

pub(super) fn constraints(certificate: &X509Certificate<'_>) -> Option<BasicConstraints> {
    let found = certificate.basic_constraints().ok().flatten();
    found.map(|found| found.value.clone())
}

/// A key usage that is there must say that the key signs certificates.
pub(super) fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.key_usage().ok().flatten();
    usage.is_none_or(|usage| usage.value.key_cert_sign())
}

/// An extended key usage that is there must name the purpose. webpki does not take
/// anyExtendedKeyUsage for it.
pub(in crate::tls) fn is_meant_for(certificate: &X509Certificate<'_>, purpose: Purpose) -> bool {
    let usage = certificate.extended_key_usage().ok().flatten();
    usage.is_none_or(|usage| match purpose {
        Purpose::Server => usage.value.server_auth,
        Purpose::Client => usage.value.client_auth,
    })
}

/// Whether the extensions that are looked at here are there once at most, and can be read: none may
/// go unnoticed.
pub(super) fn is_readable(certificate: &X509Certificate<'_>) -> bool {
    let all = certificate.extensions();
    let are_looked_at = [
        OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_EXTENDED_KEY_USAGE,
        OID_X509_EXT_NAME_CONSTRAINTS,
    ];
    are_looked_at.iter().all(|oid| {
        let mut found = all.iter().filter(|extension| extension.oid == *oid);
        let first = found.next();
        let is_read = first.is_none_or(|first| first.parsed_extension().error().is_none());
        is_read && found.next().is_none()
    })
}

/// The number of a critical extension that nobody here understands: those that webpki knows are
/// known.
pub(super) fn unknown_critical(certificate: &X509Certificate<'_>) -> Option<String> {
    let critical = certificate.extensions().iter().filter(|ext| ext.critical);
    let mut unknown = critical.filter(|extension| {
        !matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::ExtendedKeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::NameConstraints(_)
                | ParsedExtension::CRLDistributionPoints(_)
        )
    });
    unknown.next().map(|extension| extension.oid.to_id_string())
}

pub(super) fn dates(certificate: &X509Certificate<'_>, now: UnixTime) -> Option<Problem> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    let (from, until) = (
        validity.not_before.to_datetime(),
        validity.not_after.to_datetime(),
    );
    if until.unix_timestamp() < seconds {
        Some(Problem::Expired(until))
    } else if from.unix_timestamp() > seconds {
        Some(Problem::NotYetValid(from))
    } else {
        None
    }
}

pub(crate) fn has_signed(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    // The algorithm is told twice, once outside of what is signed.
    certificate.signature_algorithm == certificate.tbs_certificate.signature
        && is_signed(
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_algorithm,
            &certificate.signature_value.data,
            issuer.public_key().raw,
        )
}
