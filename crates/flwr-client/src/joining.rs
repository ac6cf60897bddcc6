//! How a node joins with a token, renews its key and learns whom to trust: each over a TLS connection
//! of its own. The proofs that it gives hold on this connection alone.
//!
//! 1. TLS 1.3 with the SuperLink, whose chain must end in the authority that the token names. Nothing
//!    is sent to anybody else.
//! 2. The node's key signs a statement about this connection, the token and the key.
//! 3. The token's secret and the signature go to the SuperLink, which registers the node.

use bytes::Bytes;
use flwr_core::address::Address;
use flwr_core::id::NodeId;
use flwr_core::refusal::{Class, Failure, Refused};
use flwr_proto::join::{
    GetTrustResponse, JoinRequest, JoinResponse, RenewCertificateRequest, RenewCertificateResponse,
    RenewKeyRequest, RenewKeyResponse,
};
use flwr_security::joining::{JoinToken, join_statement, renew_key_statement};
use flwr_security::key::{KeyError, PrivateKey};
use flwr_security::peer::Binding;
use flwr_security::tls::{ClientTls, Reason, TlsError, pinned};
use flwr_wire::join::call;
use rustls_pki_types::{CertificateDer, ServerName};
use thiserror::Error;

use crate::channel::{ConnectError, Route, Single, connect_error, single};
use crate::line::{GrpcLine, Nobody};
use crate::signer::Signer;

/// What the SuperLink gave a node that joined.
#[derive(Debug)]
pub struct Welcome {
    /// The node's id.
    pub node: NodeId,
    /// Where the node finds Fleet.
    pub superlink: Address,
    /// What people call the node. Empty: nothing.
    pub name: String,
    /// The client certificate and its chain, in PEM. Empty: the SuperLink issues none.
    pub certificate: Bytes,
    /// The authority that the token names.
    pub authority: CertificateDer<'static>,
}

/// A key that the SuperLink has taken for a node.
#[derive(Debug)]
pub struct Renewed {
    /// The node's id, which stays.
    pub node: NodeId,
    /// The client certificate for the new key, in PEM. Empty: the SuperLink issues none.
    pub certificate: Bytes,
}

/// What the SuperLink says of its authorities.
#[derive(Debug)]
pub struct Trusted {
    /// The authorities that its certificate comes from, now and soon.
    pub named: Vec<CertificateDer<'static>>,
    /// The certificates that it has shown on this connection, its own first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Why a node could not join, or its key was not renewed.
#[derive(Debug, Error)]
pub enum JoinError {
    /// Nobody is there, or not whom to trust.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection has nothing that a proof could be bound to.
    #[error(
        "{0}: joining needs TLS 1.3 up to the SuperLink: a proxy that ends TLS between is in the way"
    )]
    NoTls13(Address),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] TlsError),
    /// The proof cannot be made.
    #[error("the node's key signs nothing")]
    Key(#[from] KeyError),
    /// The SuperLink does not have the service.
    #[error(
        "the SuperLink at {0} registers no nodes by token: the address must be that of Fleet of a flower-superlink with --enable-supernode-auth"
    )]
    NotOffered(Address),
    /// The SuperLink refuses.
    #[error("the SuperLink at {address} refuses: {refused}")]
    Refused {
        /// Where it is.
        address: Address,
        /// Why it refuses.
        refused: Refused,
    },
    /// There is no answer.
    #[error("the SuperLink at {address} does not answer: {failure}")]
    Unanswered {
        /// Where it is.
        address: Address,
        /// Why.
        failure: Failure,
    },
    /// The answer cannot be used.
    #[error("the SuperLink at {address} answers with {what}, which cannot be used")]
    Answer {
        /// Where it is.
        address: Address,
        /// What is wrong.
        what: &'static str,
    },
}

impl JoinError {
    /// Whether another try may succeed without a change of anything here.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Connect(error) => matches!(
                error,
                ConnectError::Dns { .. }
                    | ConnectError::Refused { .. }
                    | ConnectError::Timeout { .. }
                    | ConnectError::Network { .. }
                    | ConnectError::Proxy { .. }
                    | ConnectError::Tls {
                        reason: Reason::Closed,
                        ..
                    }
            ),
            Self::Unanswered { .. } => true,
            Self::NoTls13(_)
            | Self::Tls(_)
            | Self::Key(_)
            | Self::NotOffered(_)
            | Self::Refused { .. }
            | Self::Answer { .. } => false,
        }
    }

    fn of(address: &Address, failure: Failure) -> Self {
        let address = address.clone();
        if let Some(error) = connect_error(&failure) {
            return error.clone().into();
        }
        match failure {
            Failure::Answered(refused) if refused.class == Class::NotOffered => {
                Self::NotOffered(address)
            }
            Failure::Answered(refused) => Self::Refused { address, refused },
            failure => Self::Unanswered { address, failure },
        }
    }
}

/// Joins the SuperLink at `address` with a token, for the node with this key.
///
/// # Errors
/// If the SuperLink is not the one that the token names, or refuses.
pub async fn join(
    address: &Address,
    server_name: Option<ServerName<'static>>,
    route: &Route,
    token: &JoinToken,
    key: &PrivateKey,
    signing_request: Vec<u8>,
) -> Result<Welcome, JoinError> {
    let tls = ClientTls::pinned(token.pin, server_name)?;
    let (single, binding) = proving(address, &tls, route).await?;
    let statement = join_statement(&binding.0, token.id, key.public_key());
    let request = JoinRequest {
        token_id: Bytes::copy_from_slice(&token.id.0),
        secret: Bytes::copy_from_slice(token.secret.reveal()),
        key: key.public_key().to_spki().into(),
        proof: key.sign(&statement)?.into(),
        signing_request: signing_request.into(),
    };
    let line = GrpcLine::new(single.channel, Nobody);
    let answer = call::join(&line, request).await;
    let JoinResponse {
        node_id,
        superlink,
        certificate,
        name,
    } = answer.map_err(|failure| JoinError::of(address, failure))?;
    let unusable = |what| JoinError::Answer {
        address: address.clone(),
        what,
    };
    let superlink = match superlink.as_str() {
        "" => token.address.clone(),
        text => text.parse().map_err(|_| unusable("an address"))?,
    };
    // The handshake has found it there.
    let authority = pinned(&token.pin, &single.chain).ok_or_else(|| unusable("no authority"))?;
    if node_id == 0 {
        return Err(unusable("no node id"));
    }
    Ok(Welcome {
        node: NodeId(node_id),
        superlink,
        name,
        certificate,
        authority: authority.clone(),
    })
}

/// Gives a node another key. Both keys prove themselves.
///
/// # Errors
/// If the SuperLink does not answer, or refuses.
pub async fn renew_key(
    address: &Address,
    tls: &ClientTls,
    route: &Route,
    (old, new): (&PrivateKey, &PrivateKey),
    signing_request: Vec<u8>,
) -> Result<Renewed, JoinError> {
    let (single, binding) = proving(address, tls, route).await?;
    let statement = renew_key_statement(&binding.0, old.public_key(), new.public_key());
    let request = RenewKeyRequest {
        old_key: old.public_key().to_spki().into(),
        new_key: new.public_key().to_spki().into(),
        old_proof: old.sign(&statement)?.into(),
        new_proof: new.sign(&statement)?.into(),
        signing_request: signing_request.into(),
    };
    let line = GrpcLine::new(single.channel, Nobody);
    let answer = call::renew_key(&line, request).await;
    let RenewKeyResponse {
        node_id,
        certificate,
    } = answer.map_err(|failure| JoinError::of(address, failure))?;
    Ok(Renewed {
        node: NodeId(node_id),
        certificate,
    })
}

/// Asks the SuperLink for the authorities of its certificate. The signer is the node's.
///
/// # Errors
/// If the SuperLink is not trusted, does not answer, or refuses.
pub async fn trusted(
    address: &Address,
    tls: &ClientTls,
    route: &Route,
    signer: &Signer,
) -> Result<Trusted, JoinError> {
    let single = single((&address.host, address.port), tls, route).await?;
    let line = GrpcLine::new(single.channel, signer.clone());
    let answer = call::trust(&line).await;
    let GetTrustResponse { authorities } =
        answer.map_err(|failure| JoinError::of(address, failure))?;
    let owned = |der: Bytes| CertificateDer::from(der.to_vec());
    let named = authorities.into_iter().map(owned);
    Ok(Trusted {
        named: named.collect(),
        chain: single.chain,
    })
}

/// Asks the SuperLink for a new client certificate (PEM) for the node's key. The signer is the node's.
///
/// # Errors
/// If the SuperLink is not trusted, does not answer, or refuses.
pub async fn renew_certificate(
    address: &Address,
    tls: &ClientTls,
    route: &Route,
    signer: &Signer,
    signing_request: Vec<u8>,
) -> Result<Bytes, JoinError> {
    let single = single((&address.host, address.port), tls, route).await?;
    let line = GrpcLine::new(single.channel, signer.clone());
    let request = RenewCertificateRequest {
        signing_request: signing_request.into(),
    };
    let answer = call::renew_certificate(&line, request).await;
    let RenewCertificateResponse { certificate } =
        answer.map_err(|failure| JoinError::of(address, failure))?;
    Ok(certificate)
}

/// A connection that a proof can be bound to.
async fn proving(
    address: &Address,
    tls: &ClientTls,
    route: &Route,
) -> Result<(Single, Binding), JoinError> {
    let single = match single((&address.host, address.port), tls, route).await {
        Err(ConnectError::Tls {
            reason: Reason::NothingInCommon,
            ..
        }) => return Err(JoinError::NoTls13(address.clone())),
        single => single?,
    };
    let no_proof = || JoinError::NoTls13(address.clone());
    let binding = single.binding.ok_or_else(no_proof)?;
    Ok((single, binding))
}

#[cfg(test)]
mod tests;
