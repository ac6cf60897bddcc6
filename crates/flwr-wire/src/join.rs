//! How nodes join by tokens: services of our own programs beside Control and Fleet, which no release of
//! Flower has.

use flwr_proto::join::{
    GetTrustRequest, GetTrustResponse, JoinRequest, JoinResponse, RenewCertificateRequest,
    RenewCertificateResponse, RenewKeyRequest, RenewKeyResponse,
};

use crate::rpc::Rpc;

pub mod call;
mod serve;
pub(crate) mod tokens;

pub(crate) use serve::{joining, node_trust, renewing};

const JOIN: Rpc<JoinRequest, JoinResponse> = Rpc::at("/flower.join.Join/Join");
const RENEW_KEY: Rpc<RenewKeyRequest, RenewKeyResponse> = Rpc::at("/flower.join.Join/RenewKey");
const RENEW_CERTIFICATE: Rpc<RenewCertificateRequest, RenewCertificateResponse> =
    Rpc::at("/flower.join.Join/RenewCertificate");
const GET_TRUST: Rpc<GetTrustRequest, GetTrustResponse> = Rpc::at("/flower.join.Join/GetTrust");
