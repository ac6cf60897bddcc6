//! Why a caller is refused because of who it is, in few words: for what counts refusals.

use super::{Failure, Refusal};

/// What a refused caller lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    /// A signature that holds, and is of now.
    Signature,
    /// A key that is let in.
    Key,
    /// An account that is let in, or the right to what it asked for.
    Account,
    /// A certificate that is let in, or TLS.
    Certificate,
    /// A token that is known: of an app, or to join with.
    Token,
    /// The right to start apps.
    Launcher,
}

impl Ground {
    /// All grounds.
    pub const ALL: [Self; 6] = [
        Self::Signature,
        Self::Key,
        Self::Account,
        Self::Certificate,
        Self::Token,
        Self::Launcher,
    ];

    /// The ground in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Key => "key",
            Self::Account => "account",
            Self::Certificate => "certificate",
            Self::Token => "token",
            Self::Launcher => "launcher",
        }
    }
}

impl Refusal {
    /// What the caller lacks. `None`: it was refused for what it asked.
    #[must_use]
    pub const fn ground(&self) -> Option<Ground> {
        Some(match self {
            Self::MissingSignature
            | Self::InvalidSignature
            | Self::MalformedTimestamp
            | Self::StaleTimestamp { .. }
            | Self::UnsignedNotServed => Ground::Signature,
            Self::UnknownKey
            | Self::MalformedKey
            | Self::NotRegistered
            | Self::NoNodeOfKey { .. }
            | Self::UnregisteredByPeople
            | Self::KeyInUse
            | Self::OtherNode { .. }
            | Self::AccessDenied
            | Self::UnexpectedNode(_) => Ground::Key,
            Self::NotSignedIn
            | Self::AccountNotListed
            | Self::ProviderRefuses
            | Self::UnknownLogin
            | Self::LoginDenied
            | Self::UselessTokens(_)
            | Self::RunOfNobody
            | Self::RunOfAnother => Ground::Account,
            Self::ClientNotListed(_)
            | Self::CertificateNeeded(_)
            | Self::CertificateOfNode(_)
            | Self::CertificateWithdrawn(_)
            | Self::TlsRequired => Ground::Certificate,
            Self::UnknownToken | Self::UnknownAppToken | Self::Joining(_) => Ground::Token,
            Self::LauncherNotProven(_) | Self::LauncherNotAllowed(_) => Ground::Launcher,
            _ => return None,
        })
    }
}

impl Failure {
    /// What a caller lacks that this side refuses.
    #[must_use]
    pub const fn ground(&self) -> Option<Ground> {
        match self {
            Self::Refused(refusal) => refusal.ground(),
            _ => None,
        }
    }
}
