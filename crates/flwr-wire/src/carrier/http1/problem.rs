//! Refusals and failures over HTTP: a status, and an object in JSON with upstream's number and a text.
//!
//! A SuperNode that is answered 401 ends without a word, so that 401 says one thing: the caller is not
//! the node that it says. What a person should read is 412 with a number. A SuperNode tries 503 again,
//! drops a message at 403, and fails it at other statuses.

use flwr_core::refusal::{Class, Code, Failure, Refusal};
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use tonic::body::Body;

use crate::carrier::Reader;
use crate::carrier::intake::Unread;
use crate::in_flight::NoRoom;

/// What all SuperNodes read that are not who they say (flwr 1.42 wire).
const NOT_THE_NODE: &str = "Invalid SuperNode authentication";
/// What all apps read whose token proves nothing (flwr 1.42 wire).
const NOT_THE_APP: &str = "Authentication failed.";

/// A refusal or a failure, as it is written.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: Option<u16>,
    detail: String,
    extra: Option<String>,
}

impl Problem {
    /// A problem without a number.
    pub(super) fn of(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: None,
            detail: detail.into(),
            extra: None,
        }
    }

    fn coded(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        Self {
            code: Some(code.number()),
            ..Self::of(status, detail)
        }
    }

    /// The body is no message.
    pub(super) fn content_type() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::coded(
            status,
            Code::UnsupportedContentType,
            "Unsupported Content-Type.",
        )
    }

    /// An app does not tell what it must.
    pub(super) fn no_metadata(name: &str) -> Self {
        Self::incompatible(format!(
            "Invalid Flower runtime metadata: Metadata key '{name}' is missing."
        ))
    }

    /// An app tells a release that is none.
    pub(super) fn no_version(text: &str) -> Self {
        Self::incompatible(format!(
            "Peer Flower version metadata cannot be parsed: '{text}'."
        ))
    }

    fn incompatible(extra: String) -> Self {
        let detail = "Runtime version compatibility check failed.";
        Self {
            extra: Some(extra),
            ..Self::coded(
                StatusCode::PRECONDITION_FAILED,
                Code::RuntimeVersionIncompatible,
                detail,
            )
        }
    }

    /// The body was not read. What may pass is 503: a peer on a bad line should try again.
    pub(super) fn unread(why: &Unread) -> Self {
        let status = match why {
            Unread::TooLarge { .. } | Unread::TooLong(_) | Unread::NoRoom(NoRoom::Never { .. }) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Unread::NoRoom(NoRoom::Now) | Unread::Late => StatusCode::SERVICE_UNAVAILABLE,
            Unread::Compressed | Unread::Broken(_) => StatusCode::BAD_REQUEST,
        };
        Self::of(status, why.to_string())
    }

    /// The problem of a call that is refused or fails, for this reader.
    pub(super) fn told(failure: Failure, reader: Reader) -> Self {
        match failure {
            Failure::Refused(refusal) => Self::refused(&refusal, reader),
            Failure::Answered(refused) => Self::of(status(refused.class), refused.to_string()),
            Failure::TryAgain(text) => Self::of(StatusCode::SERVICE_UNAVAILABLE, text),
            Failure::Unanswered(unanswered) => {
                Self::of(StatusCode::SERVICE_UNAVAILABLE, unanswered.text)
            }
        }
    }

    fn refused(refusal: &Refusal, reader: Reader) -> Self {
        let class = class_for(refusal, reader);
        match (class, reader) {
            (Class::Unauthenticated, Reader::Node(_)) => {
                Self::of(StatusCode::UNAUTHORIZED, NOT_THE_NODE)
            }
            (Class::Unauthenticated, Reader::App) => Self::coded(
                StatusCode::UNAUTHORIZED,
                Code::RuntimeAuthenticationFailed,
                NOT_THE_APP,
            ),
            _ => Self::coded(status(class), refusal.code(), refusal.to_string()),
        }
    }
}

/// What a caller over HTTP does about a refusal, where that is not what all callers do.
const fn class_for(refusal: &Refusal, reader: Reader) -> Class {
    match (reader, refusal) {
        // The node is who it says. A person is to set a clock.
        (Reader::Node(_), Refusal::StaleTimestamp { .. })
        // A person is to give the program a certificate. No login and no key helps.
        | (Reader::Node(_) | Reader::Command(_), Refusal::ClientNotListed(_)) => {
            Class::Precondition
        }
        _ => refusal.class(),
    }
}

const fn status(class: Class) -> StatusCode {
    match class {
        Class::Invalid => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Forbidden | Class::RunOver => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::Precondition => StatusCode::PRECONDITION_FAILED,
        Class::Exists => StatusCode::CONFLICT,
        // All of them are of storage.
        Class::Exhausted => StatusCode::INSUFFICIENT_STORAGE,
        Class::NotOffered => StatusCode::NOT_IMPLEMENTED,
    }
}

impl From<Problem> for Response<Body> {
    fn from(problem: Problem) -> Self {
        let Problem {
            status,
            code,
            detail,
            extra,
        } = problem;
        let mut object = Map::new();
        if let Some(code) = code {
            object.insert("code".to_owned(), json!(code));
        }
        object.insert("detail".to_owned(), json!(detail));
        if let Some(extra) = extra {
            object.insert("extra".to_owned(), json!(extra));
        }
        let body = Value::Object(object).to_string();
        let mut response = Self::new(Body::new(Full::new(body.into())));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, super::JSON);
        if status == StatusCode::UNAUTHORIZED
            && code == Some(Code::AccountAuthenticationFailed.number())
        {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
