//! What is counted of a response: its code, and why its caller was refused. The words are the same over
//! each carrier.

use flwr_core::refusal::Ground;
use flwr_metrics::Word;
use http::Response;

/// The header of a call that ends without an answer. An answer has its status behind its messages.
const STATUS: &str = "grpc-status";
/// The words for gRPC's codes, by their numbers.
const CODES: [Word; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// The word for the code of a response: gRPC's, also for a status of HTTP.
pub(crate) fn code<B>(response: &Response<B>) -> Word {
    if let Some(status) = response.headers().get(STATUS) {
        let number = status.to_str().ok().and_then(|text| text.parse().ok());
        return number
            .and_then(|number: usize| CODES.get(number).copied())
            .unwrap_or("unknown");
    }
    match response.status().as_u16() {
        200..=299 => "ok",
        401 => "unauthenticated",
        403 => "permission_denied",
        404 | 405 => "not_found",
        409 => "already_exists",
        412 => "failed_precondition",
        413 | 429 => "resource_exhausted",
        500 => "internal",
        501 => "unimplemented",
        503 => "unavailable",
        504 => "deadline_exceeded",
        400..=499 => "invalid_argument",
        _ => "unknown",
    }
}

/// The same response, with the ground on which its caller was refused.
pub(super) fn noted<B>(mut response: Response<B>, ground: Option<Ground>) -> Response<B> {
    if let Some(ground) = ground {
        response.extensions_mut().insert(ground);
    }
    response
}

/// The ground on which the caller was refused, if it was.
pub(crate) fn ground<B>(response: &Response<B>) -> Option<Ground> {
    response.extensions().get().copied()
}

#[cfg(test)]
mod tests {
    use flwr_core::refusal::{Failure, Refusal};

    use super::*;
    use crate::carrier::{Carrier, Reader};

    #[test]
    fn both_carriers_have_the_same_words() {
        let denied = || Failure::from(Refusal::UnknownKey);
        for carrier in [Carrier::Grpc, Carrier::Http] {
            let response = carrier.failed(denied(), Reader::Node(None));
            assert_ne!(code(&response), "ok");
            assert_eq!(ground(&response), Some(Ground::Key), "{carrier:?}");
            let response = carrier.failed(Failure::TryAgain(String::new()), Reader::App);
            assert_eq!(code(&response), "unavailable", "{carrier:?}");
            assert_eq!(ground(&response), None);
        }
        assert_eq!(code(&Response::new(())), "ok");
        let odd = Response::builder().header(STATUS, "99").body(()).unwrap();
        assert_eq!(code(&odd), "unknown");
    }
}
