//! New tokens for an old one, as SuperLinks of flwr 1.36 and later give them over HTTP/1.1. Over gRPC
//! new tokens come in the headers of any answer.

use flwr_core::port::control::Tokens;
use flwr_proto as proto;

use super::super::rpcs;
use super::read;

/// The request for new tokens.
pub use proto::RefreshAuthTokensRequest as RefreshRequest;

/// Where they are asked for, under gRPC.
pub const REFRESH_PATH: &str = rpcs::REFRESH_AUTH_TOKENS.path();

/// The new tokens in an answer, which is laid out as that of `GetAuthTokens`. `None`: there are none.
#[must_use]
pub fn refreshed(answer: proto::GetAuthTokensResponse) -> Option<Tokens> {
    read::tokens(answer)
}
