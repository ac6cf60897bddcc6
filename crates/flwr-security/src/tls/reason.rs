//! The reason of a failed handshake or a refused certificate: what was expected, what was found,
//! and what to do.

use std::io;

use rustls::{
    AlertDescription, CertificateError, Error as TlsFailure, InvalidMessage, OtherError,
    PeerIncompatible,
};
use thiserror::Error;
use time::OffsetDateTime;

use super::flaw::Flaw;

/// The cause of a failed handshake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Reason {
    /// Signed by nobody who is trusted here.
    #[error(
        "its certificate is signed by a CA that is not trusted here: check the root certificate file, and that the other side shows the CAs between"
    )]
    UnknownIssuer,
    /// Signed by another authority than the pinned one.
    #[error(
        "its certificate does not come from the authority that the join token names: another server is at this address, or a proxy on the way ends TLS"
    )]
    OtherAuthority,
    /// For another name.
    #[error(
        "its certificate is not for {wanted}, but for {found}: use one of these names in the address, or name one with --server-name (`server-name` of a federation, `options` in a --config file), or make a certificate with `flwr cert new --name {wanted}`"
    )]
    NameMismatch {
        /// The name that was asked for.
        wanted: String,
        /// The names it has.
        found: String,
    },
    /// Too old.
    #[error("its certificate has expired{on}: renew it", on = until.as_ref().map(|date| format!(" on {date}")).unwrap_or_default())]
    Expired {
        /// The date, if it is known.
        until: Option<String>,
    },
    /// Too new, or a clock is off.
    #[error("its certificate is not valid yet{on}: check the clocks", on = from.as_ref().map(|date| format!(" (before {date})")).unwrap_or_default())]
    NotYetValid {
        /// The date, if it is known.
        from: Option<String>,
    },
    /// X.509 version 1.
    #[error(
        "it is an X.509 v1 certificate, without a subjectAltName, which TLS does not accept any more: sign its request anew with `flwr cert sign --name HOST`, make another with `flwr cert new`, or allow it with --ssl-allow-legacy-certificates"
    )]
    Version,
    /// Of a form that TLS stacks accepted once.
    #[error(
        "certificate {subject}: {lacks}, which TLS does not accept any more: sign its request anew with `flwr cert sign --name HOST`, or allow it with --ssl-allow-legacy-certificates"
    )]
    OldForm {
        /// Whose it is.
        subject: String,
        /// What is missing in it.
        lacks: &'static str,
    },
    /// A certificate of the chain is not good enough.
    #[error("{0}")]
    Chain(Flaw),
    /// Not a certificate, or one with errors.
    #[error("its certificate is malformed")]
    Malformed,
    /// A CA where a server is needed, or the other way round.
    #[error("its certificate is not meant for this: its key usage or CA flag is wrong")]
    Purpose,
    /// None was shown where one is asked for.
    #[error("no certificate was shown, and one is needed here")]
    Missing,
    /// Its CA has taken it back.
    #[error("its certificate was revoked by its CA: it needs a new one")]
    Revoked,
    /// Whether it was taken back cannot be told.
    #[error("its CA has no list of revoked certificates here: add it to --ssl-client-crl-file")]
    NoRevocationList,
    /// Signed in a way that cannot be checked here.
    #[error("its certificate does not stand up to a check: {0}")]
    OtherCertificate(String),
    /// No TLS on the other side.
    #[error(
        "the other side does not speak TLS: it may be plaintext (--insecure there), or the port of another service"
    )]
    Plaintext,
    /// The other side said no.
    #[error("the other side refused the handshake: {0}")]
    Alert(String),
    /// A key that the other side can do nothing with.
    #[error(
        "the other side cannot check what our key signs: pip's flwr takes RSA, EC P-256 and P-384 keys, but neither EC P-521 nor Ed25519: use a certificate with such a key"
    )]
    KeyKind,
    /// No protocol in common.
    #[error("no TLS version or protocol in common: TLS 1.2 or 1.3 with ALPN h2 is expected")]
    NothingInCommon,
    /// The connection ended in the middle.
    #[error("the connection was closed during the handshake: is this a TLS port?")]
    Closed,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What is behind a failed handshake.
#[must_use]
pub fn explain(error: &io::Error) -> Reason {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsFailure>());
    match inner {
        Some(failure) => Reason::from(failure),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Reason::Closed,
            _ => Reason::Other(error.to_string()),
        },
    }
}

impl From<&TlsFailure> for Reason {
    fn from(failure: &TlsFailure) -> Self {
        match failure {
            TlsFailure::InvalidCertificate(error) => Self::from(error),
            TlsFailure::InvalidMessage(InvalidMessage::InvalidContentType) => Self::Plaintext,
            TlsFailure::AlertReceived(alert) => Self::from_alert(*alert),
            TlsFailure::NoCertificatesPresented => Self::Missing,
            TlsFailure::PeerIncompatible(
                PeerIncompatible::NoSignatureSchemesInCommon
                | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            ) => Self::KeyKind,
            TlsFailure::PeerIncompatible(_) | TlsFailure::NoApplicationProtocol => {
                Self::NothingInCommon
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// A refusal with its reason, on its way through rustls.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) Reason);

impl Reason {
    /// The text about a service that is no SuperLink: none of our flags names that server.
    #[must_use]
    pub fn of_other_service(&self) -> String {
        match self {
            Self::NameMismatch { wanted, found } => format!(
                "its certificate is not for {wanted}, but for {found}: use one of these names in its URL"
            ),
            other => other.to_string(),
        }
    }

    /// What the other side told, in words.
    fn from_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::UnknownCA => {
                Self::Alert("it does not trust the CA of our certificate".to_owned())
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate => {
                Self::Alert("it does not accept our certificate".to_owned())
            }
            AlertDescription::CertificateExpired => {
                Self::Alert("it says that our certificate has expired".to_owned())
            }
            AlertDescription::CertificateRevoked => {
                Self::Alert("it says that our certificate was revoked".to_owned())
            }
            AlertDescription::CertificateRequired => Self::Alert(
                "it asks for a client certificate: give --client-certificate and --client-key (`flwr`: client-certificate and client-key of the federation)"
                    .to_owned(),
            ),
            AlertDescription::ProtocolVersion | AlertDescription::NoApplicationProtocol => {
                Self::NothingInCommon
            }
            AlertDescription::HandshakeFailure => Self::Alert(
                "it has no cipher in common with us, or cannot do with our key or its own what TLS needs (EC P-521 and Ed25519 keys work with few programs)"
                    .to_owned(),
            ),
            AlertDescription::DecryptError => Self::Alert(
                "a signature of ours is not what it should be: a CA of the same name with another key, or one that it cannot check"
                    .to_owned(),
            ),
            AlertDescription::AccessDenied => Self::Alert(
                "it does not let our certificate in".to_owned(),
            ),
            AlertDescription::UnrecognisedName => Self::Alert(
                "it knows no server of that name: check the address".to_owned(),
            ),
            AlertDescription::InternalError => {
                Self::Alert("it has an error of its own: its log may tell".to_owned())
            }
            other => Self::Alert(in_words(&format!("{other:?}"))),
        }
    }
}

impl From<&CertificateError> for Reason {
    fn from(error: &CertificateError) -> Self {
        let date = |time: rustls_pki_types::UnixTime| {
            let seconds = i64::try_from(time.as_secs()).ok()?;
            Some(
                OffsetDateTime::from_unix_timestamp(seconds)
                    .ok()?
                    .date()
                    .to_string(),
            )
        };
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            // The CA of another federation may have the same name and another key.
            CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::Expired => Self::Expired { until: None },
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired {
                until: date(*not_after),
            },
            CertificateError::NotValidYet => Self::NotYetValid { from: None },
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYetValid {
                from: date(*not_before),
            },
            CertificateError::NotValidForName => Self::NameMismatch {
                wanted: "this host".to_owned(),
                found: "others".to_owned(),
            },
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => Self::NameMismatch {
                wanted: expected.to_str().into_owned(),
                found: presented_names(presented),
            },
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownRevocationStatus => Self::NoRevocationList,
            CertificateError::BadEncoding => Self::Malformed,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            other => Self::from_webpki(other),
        }
    }
}

impl Reason {
    /// What rustls has no name for, it passes on as webpki said it.
    fn from_webpki(error: &CertificateError) -> Self {
        let other = match error {
            CertificateError::Other(OtherError(other)) => Some(other),
            _ => None,
        };
        if let Some(Refusal(reason)) = other.and_then(|other| other.downcast_ref()) {
            return reason.clone();
        }
        match other.and_then(|other| other.downcast_ref()) {
            Some(webpki::Error::UnsupportedCertVersion) => Self::Version,
            Some(webpki::Error::CaUsedAsEndEntity) => Self::Purpose,
            Some(known) => Self::OtherCertificate(in_words(&format!("{known:?}"))),
            None => Self::OtherCertificate(error.to_string()),
        }
    }
}

/// `InsufficientSecurity` as `insufficient security`: names of variants are all that TLS libraries
/// have for rare causes.
fn in_words(variant: &str) -> String {
    let name = variant.split(['(', '{']).next().unwrap_or(variant).trim();
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// rustls writes names as `DnsName("localhost")`.
fn presented_names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all (it has no subjectAltName; `flwr cert sign --name HOST` gives it one)".to_owned();
    }
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(&name[..], |(_, inner)| inner);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}
