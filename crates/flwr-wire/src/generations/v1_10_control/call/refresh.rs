//! New tokens for an old one, as SuperLinks of flwr 1.36 and later give them over HTTP/1.1. Over gRPC
//! new tokens come in the headers of any answer.

use flwr_core::port::control::Tokens;
use flwr_proto as proto;
use prost::Message;

use super::read;

/// Where they are asked for, under gRPC.
pub const REFRESH_PATH: &str = "/flwr.proto.Control/RefreshAuthTokens";

/// The request for new tokens.
#[derive(Clone, PartialEq, Message)]
pub struct RefreshRequest {
    /// The token of the last login or request.
    #[prost(string, tag = "1")]
    pub refresh_token: String,
}

/// The new tokens in an answer, which is laid out as that of `GetAuthTokens`. `None`: there are none.
#[must_use]
pub fn refreshed(answer: proto::GetAuthTokensResponse) -> Option<Tokens> {
    read::tokens(answer)
}
