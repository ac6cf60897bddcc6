//! OpenID Connect, as far as a SuperLink needs it: the login of a device (RFC 8628), refreshing,
//! and what a token proves.
//!
//! The provider's word is believed over HTTPS only, by the project's own TLS. What it publishes,
//! its endpoints and keys, is fetched again now and then, and when a token names a key that is not
//! known. Tokens are signed with one of the provider's public keys, for the configured audience,
//! or they are refused; a token that has expired is told apart from one that never was good.

use std::time::Duration;

use http::StatusCode;
use thiserror::Error;

mod claims;
mod keys;
mod provider;
mod verify;
mod web;

#[cfg(test)]
mod tests;

pub use claims::Claims;
pub use keys::Keys;
pub use provider::{Begun, CheckError, Client, Poll, Provider, Tokens};
pub use verify::{Refused, Rules, Verdict, verify};
pub use web::{InvalidUrl, Url};

use flwr_client::channel::ConnectError;
use flwr_security::tls::Reason;

/// How long one request to a provider may take, from the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a provider did not do what it was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody answers there.
    #[error("{host} cannot be reached")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is a proxy between, which does not lead there.
    #[error(transparent)]
    Proxy(#[from] ConnectError),
    /// Somebody answers who is not trusted, or speaks no TLS.
    #[error("{host}: {}", .reason.of_other_service())]
    Tls {
        /// Host and port.
        host: String,
        /// Why.
        reason: Reason,
    },
    /// It took too long.
    #[error("{0} did not answer within {s} s", s = PATIENCE.as_secs())]
    Late(String),
    /// The connection broke, or what came over it was no HTTP.
    #[error("{host} broke off")]
    Broken {
        /// Host and port.
        host: String,
        /// What the HTTP library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An answer that is no answer to this.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// How it was answered.
        status: StatusCode,
    },
    /// It is not what OpenID Connect says.
    #[error("{url} answered something else than OpenID Connect says: {problem}")]
    Answer {
        /// What was asked for.
        url: Url,
        /// What is wrong with it; nothing of its content.
        problem: String,
    },
    /// The provider says to be another one than is configured.
    #[error(
        "the provider says to be the issuer {found:?}, and {expected:?} is configured: they must be the same, letter for letter"
    )]
    OtherIssuer {
        /// The configured one.
        expected: String,
        /// What it says.
        found: String,
    },
    /// It does not do device logins.
    #[error(
        "the provider offers no device login (no `device_authorization_endpoint`): it has to be switched on there"
    )]
    NoDeviceLogin,
    /// It refuses, with a word of OAuth's.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// It was asked a moment ago, in vain.
    #[error("the provider did not answer a moment ago, and is not asked again yet")]
    AskedBefore,
}

impl Error {
    /// Whether asking again later may help: the provider has not said no.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        !matches!(
            self,
            Self::Refused(_) | Self::NoDeviceLogin | Self::OtherIssuer { .. }
        )
    }
}
