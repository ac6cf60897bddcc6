//! The SuperLink's half of Join.

use flwr_core::port::joining::{JoinAttempt, Joined, KeyRenewal, RenewedKey};
use flwr_core::port::{Joining, NodeTrust, Result};
use flwr_proto::join::{
    GetTrustRequest, GetTrustResponse, JoinRequest, JoinResponse, RenewCertificateRequest,
    RenewCertificateResponse, RenewKeyRequest, RenewKeyResponse,
};

use super::{GET_TRUST, JOIN, RENEW_CERTIFICATE, RENEW_KEY};
use crate::methods::Request;
use crate::methods::session::Methods;

/// What a node calls to join.
pub(crate) fn joining<J: Joining>(m: &mut Methods<J>) {
    m.call(JOIN, join);
}

/// What a node calls for another key. It needs no session for that.
pub(crate) fn renewing<J: Joining>(m: &mut Methods<J>) {
    m.call(RENEW_KEY, renew_key);
}

/// What a node calls in its session.
pub(crate) fn node_trust<T: NodeTrust>(m: &mut Methods<T>) {
    m.call(RENEW_CERTIFICATE, renew_certificate);
    m.call(GET_TRUST, trust);
}

async fn join(joining: impl Joining, request: Request<JoinRequest>) -> Result<JoinResponse> {
    let JoinRequest {
        token_id,
        secret,
        key,
        proof,
        signing_request,
    } = request.message;
    let joined = joining.join(JoinAttempt {
        token: token_id,
        secret,
        key,
        proof,
        signing_request,
    });
    let Joined {
        node,
        superlink,
        certificate,
        name,
    } = joined.await?;
    Ok(JoinResponse {
        node_id: node.0,
        superlink,
        certificate,
        name: name.unwrap_or_default(),
    })
}

async fn renew_key(
    joining: impl Joining,
    request: Request<RenewKeyRequest>,
) -> Result<RenewKeyResponse> {
    let RenewKeyRequest {
        old_key,
        new_key,
        old_proof,
        new_proof,
        signing_request,
    } = request.message;
    let renewed = joining.renew_key(KeyRenewal {
        old_key,
        new_key,
        old_proof,
        new_proof,
        signing_request,
    });
    let RenewedKey { node, certificate } = renewed.await?;
    Ok(RenewKeyResponse {
        node_id: node.0,
        certificate,
    })
}

async fn renew_certificate(
    node: impl NodeTrust,
    request: Request<RenewCertificateRequest>,
) -> Result<RenewCertificateResponse> {
    let certificate = node
        .renew_certificate(request.message.signing_request)
        .await?;
    Ok(RenewCertificateResponse { certificate })
}

async fn trust(node: impl NodeTrust, _: Request<GetTrustRequest>) -> Result<GetTrustResponse> {
    let authorities = node.trust().await?;
    Ok(GetTrustResponse { authorities })
}
