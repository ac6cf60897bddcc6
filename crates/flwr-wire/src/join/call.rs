//! The calls of Join, on the way to a SuperLink of ours.

use std::time::Duration;

use flwr_core::port::Result;
use flwr_proto::join::{
    GetTrustRequest, GetTrustResponse, JoinRequest, JoinResponse, RenewCertificateRequest,
    RenewCertificateResponse, RenewKeyRequest, RenewKeyResponse,
};

use crate::line::Line;

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Registers the node that makes the call.
///
/// # Errors
/// If the SuperLink refuses, or gives no answer.
pub async fn join(line: &impl Line, request: JoinRequest) -> Result<JoinResponse> {
    super::JOIN.call_within(line, request, LIMIT).await
}

/// Gives a node another key.
///
/// # Errors
/// If the SuperLink refuses, or gives no answer.
pub async fn renew_key(line: &impl Line, request: RenewKeyRequest) -> Result<RenewKeyResponse> {
    super::RENEW_KEY.call_within(line, request, LIMIT).await
}

/// Gives a node a new client certificate. The line signs as calls of Fleet are signed.
///
/// # Errors
/// If the SuperLink refuses, or gives no answer.
pub async fn renew_certificate(
    line: &impl Line,
    request: RenewCertificateRequest,
) -> Result<RenewCertificateResponse> {
    let rpc = super::RENEW_CERTIFICATE;
    rpc.call_within(line, request, LIMIT).await
}

/// The authorities of the SuperLink's certificate. The line signs as calls of Fleet are signed.
///
/// # Errors
/// If the SuperLink refuses, or gives no answer.
pub async fn trust(line: &impl Line) -> Result<GetTrustResponse> {
    let rpc = super::GET_TRUST;
    rpc.call_within(line, GetTrustRequest {}, LIMIT).await
}
