//! What a failed call means. The one place where the words of a SuperLink are read: everybody
//! else compares values.
//!
//! gRPC has one code for refusals that ask for different things of a caller, so upstream's text
//! tells them apart. A text may go on after these words, as those of our SuperLink do.

use std::error::Error as _;

use tonic::{Code, Status};

/// UNAUTHENTICATED: no node is registered with this key, or another one (flwr 1.17 to 1.22).
const UNKNOWN_NODE: &str = "Invalid node ID";
/// UNAUTHENTICATED: the key is not on the SuperLink's list (flwr 1.17 to 1.22).
const UNKNOWN_KEY: &str = "Public key not recognized";
/// UNAUTHENTICATED: CreateNode by the holder of a registered node's key (flwr 1.17 to 1.22).
const KEY_IN_USE: &str = "Public key already in use";
/// UNAUTHENTICATED: the clocks differ (flwr 1.17 to 1.22).
const STALE_SIGNATURE: &str = "Invalid timestamp";
/// NOT_FOUND of Control: no such run (flwr 1.20 to 1.22).
const UNKNOWN_RUN: &str = "Run ID not found";
/// UNIMPLEMENTED: "ExecServicer initialized without user authentication" (flwr 1.20), and
/// "ControlServicer initialized without ..." (flwr 1.21 and 1.22).
const WITHOUT: &str = "initialized without";

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The SuperLink said nothing: the connection failed, or the SuperLink is busy or starting.
    Unanswered,
    /// The SuperLink said no.
    Refused(Refused),
}

/// How a SuperLink said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not know the node that calls.
    UnknownNode,
    /// It does not know the node's key.
    UnknownKey,
    /// A registered node has the key.
    KeyInUse,
    /// The clocks of the two machines differ: the signature is too old, or of the future.
    StaleSignature,
    /// The caller proves nothing, or the wrong thing.
    Unauthenticated,
    /// The caller may not do this. On Fleet: the run is over (flwr 1.20 to 1.22).
    Forbidden,
    /// No such run.
    UnknownRun,
    /// It does not know the method: a SuperLink of another release, or another API.
    UnknownMethod,
    /// It knows the method, and was started without what the method needs.
    NotSetUp,
    /// Anything else.
    Other(Code),
}

impl Failure {
    /// What this status means. A status that was made on this side has the error that it was made
    /// of; a status from the wire has none.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        if status.source().is_some() {
            return Self::Unanswered;
        }
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled => Self::Unanswered,
            _ => Self::Refused(Refused::of(status)),
        }
    }
}

impl Refused {
    /// The refusal in this status.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let text = status.message();
        match status.code() {
            Code::Unauthenticated if text.starts_with(UNKNOWN_NODE) => Self::UnknownNode,
            Code::Unauthenticated if text.starts_with(UNKNOWN_KEY) => Self::UnknownKey,
            Code::Unauthenticated if text.starts_with(KEY_IN_USE) => Self::KeyInUse,
            Code::Unauthenticated if text.starts_with(STALE_SIGNATURE) => Self::StaleSignature,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::Forbidden,
            Code::NotFound if text == UNKNOWN_RUN => Self::UnknownRun,
            Code::Unimplemented if text.contains(WITHOUT) => Self::NotSetUp,
            Code::Unimplemented => Self::UnknownMethod,
            code => Self::Other(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Proxied;

    #[test]
    fn refusals_that_share_a_code_are_told_apart_by_their_words() {
        for (status, refused) in [
            (
                Status::unauthenticated("Invalid node ID"),
                Refused::UnknownNode,
            ),
            (
                Status::unauthenticated("Invalid timestamp: it is 400.0 s old"),
                Refused::StaleSignature,
            ),
            (
                Status::unauthenticated("Public key not recognized"),
                Refused::UnknownKey,
            ),
            (
                Status::unauthenticated("Public key already in use"),
                Refused::KeyInUse,
            ),
            (
                Status::unauthenticated("Invalid signature"),
                Refused::Unauthenticated,
            ),
            (
                Status::permission_denied("Run is finished."),
                Refused::Forbidden,
            ),
            (Status::not_found("Run ID not found"), Refused::UnknownRun),
            (
                Status::not_found("no such object"),
                Refused::Other(Code::NotFound),
            ),
            (
                Status::unimplemented("ControlServicer initialized without user authentication"),
                Refused::NotSetUp,
            ),
            (
                Status::unimplemented("Method not found!"),
                Refused::UnknownMethod,
            ),
            (
                Status::unknown("Exception calling application: 12"),
                Refused::Other(Code::Unknown),
            ),
            // Words count with their code only.
            (
                Status::internal("Invalid node ID"),
                Refused::Other(Code::Internal),
            ),
        ] {
            assert_eq!(Failure::of(&status), Failure::Refused(refused), "{status}");
        }
    }

    #[test]
    fn a_broken_connection_and_a_busy_superlink_are_no_refusals() {
        for status in [
            Status::unavailable("starting"),
            Status::resource_exhausted("full"),
            Status::from_error(Box::new(std::io::Error::other("reset"))),
        ] {
            assert_eq!(Failure::of(&status), Failure::Unanswered, "{status}");
        }
    }

    #[test]
    fn what_a_proxy_answers_is_no_refusal() {
        for code in [200, 302, 400, 401, 403, 404, 429, 502, 503, 504] {
            let status = Status::from(Proxied {
                address: "host:1".to_owned(),
                status: http::StatusCode::from_u16(code).unwrap(),
                location: None,
                text: String::new(),
            });
            assert_eq!(Failure::of(&status), Failure::Unanswered, "{code}");
        }
    }
}
