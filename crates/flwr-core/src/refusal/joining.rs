//! Why a node does not join, and why a token for joining is not made.

use thiserror::Error;

use super::Code;

/// Why a node does not join by a token, or does not change its key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JoinRefusal {
    /// Nodes do not join by tokens here.
    #[error(
        "SuperNodes do not join by tokens here: the SuperLink was started without --enable-supernode-auth"
    )]
    NotOffered,
    /// The connection has no binding.
    #[error(
        "joining needs TLS 1.3 up to the SuperLink: a proxy that ends TLS between is in the way, or an end that speaks TLS 1.2 only"
    )]
    NeedsTls13,
    /// There is no such token, or the secret is another one.
    #[error(
        "the SuperLink does not know this join token: make another with `flwr supernode join-token new`"
    )]
    UnknownToken,
    /// The signature is not the key's over the statement of this connection.
    #[error(
        "the proof of the key does not hold on this connection: a proxy that ends TLS between is in the way, or the key file is another key's"
    )]
    Proof,
    /// As many nodes have joined with the token as may.
    #[error("the join token is used up: make another with `flwr supernode join-token new`")]
    UsedUp,
    /// The token's time is over.
    #[error("the join token has expired: make another with `flwr supernode join-token new`")]
    Expired,
    /// A person has revoked the token.
    #[error("the join token was revoked: make another with `flwr supernode join-token new`")]
    Revoked,
    /// The account that made the token is not on the list of accounts any more, or cannot be known to be.
    #[error(
        "the join token has ended, since the account that made it is not on the SuperLink's list of accounts any more, or has not called since the list changed: make another with `flwr supernode join-token new`"
    )]
    OwnerNotListed,
    /// The node that joined with this token and key is registered no more, or has another key now.
    #[error(
        "this key joined with this token before, and is its SuperNode's no more: make another token with `flwr supernode join-token new`, and join with --rejoin"
    )]
    Gone,
    /// A person names a token that does not exist, or is another account's.
    #[error("this account has no join token {0}: `flwr supernode join-token list` shows them")]
    TokenNotFound(String),
    /// The server's certificate does not name the host of a token.
    #[error(
        "nodes could not join at {host}: the SuperLink's certificate does not name that host. Give --address HOST:PORT with one of: {names}"
    )]
    Host {
        /// The host.
        host: String,
        /// What the certificate names.
        names: String,
    },
    /// The server's certificate leads to no authority that a token could name.
    #[error(
        "nodes could not join: the chain of --ssl-certfile does not lead to a certificate of --ssl-ca-certfile"
    )]
    NoAuthority,
    /// Fleet demands client certificates, which a joining node has not got.
    #[error(
        "nodes cannot join where Fleet demands client certificates, unless the SuperLink is given {0}"
    )]
    NeedsFlags(&'static str),
    /// A list decides about the key of a node.
    #[error(
        "the key of this SuperNode is on the SuperLink's list, which decides (--auth-list-public-keys): replace its line there by `{0}`"
    )]
    ListedKey(String),
    /// The CA for client certificates is of no use.
    #[error(
        "the SuperLink cannot issue a client certificate: its log says why, and its operator has to act"
    )]
    CertificateNotIssued,
    /// Client certificates are not issued here.
    #[error("this SuperLink issues no client certificates (--node-ca-certfile)")]
    NoCertificates,
    /// A node asks for another certificate over a connection that was made with one of another CA.
    #[error(
        "the client certificate of this SuperNode is not from the SuperLink's CA for SuperNodes: renew it where it comes from"
    )]
    OtherAuthority,
}

impl JoinRefusal {
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::UnknownToken => Code::JoinTokenUnknown,
            Self::Proof => Code::JoinProofWrong,
            Self::NotOffered => Code::JoinNotOffered,
            Self::NeedsTls13 => Code::JoinNeedsTls13,
            Self::UsedUp => Code::JoinTokenUsedUp,
            Self::Expired => Code::JoinTokenExpired,
            Self::Revoked => Code::JoinTokenRevoked,
            Self::OwnerNotListed => Code::JoinTokenOwnerNotListed,
            Self::Gone => Code::JoinedNodeGone,
            Self::TokenNotFound(_) => Code::JoinTokenNotFound,
            Self::Host { .. } | Self::NoAuthority | Self::NeedsFlags(_) => {
                Code::JoinTokenImpossible
            }
            Self::ListedKey(_) => Code::KeyIsListed,
            Self::NoCertificates | Self::CertificateNotIssued | Self::OtherAuthority => {
                Code::CertificatesNotIssued
            }
        }
    }
}

impl From<JoinRefusal> for super::Refusal {
    fn from(refusal: JoinRefusal) -> Self {
        Self::Joining(refusal)
    }
}

impl From<JoinRefusal> for super::Failure {
    fn from(refusal: JoinRefusal) -> Self {
        super::Refusal::from(refusal).into()
    }
}
