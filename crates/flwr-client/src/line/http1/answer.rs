//! What an answer over HTTP/1.1 is: a message, a refusal, or the answer of something else on the way.

use bytes::Bytes;
use flwr_core::port::Result;
use flwr_core::printable;
use flwr_core::refusal::{Class, Failure, Silence, Unanswered};
use flwr_wire::carrier::http1::{JSON, is_kind};
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tonic::Status;

use super::super::Read;
use crate::channel::Proxied;
use crate::refused;

/// How long a refusal may be.
const MAX_REFUSAL: usize = 64 << 10;

/// The answer, if it is one with a message of this type in it.
pub(super) async fn checked(
    address: &str,
    answer: Response<Incoming>,
    wanted: &HeaderValue,
) -> Result<Response<Incoming>> {
    let (status, headers) = (answer.status(), answer.headers());
    if status == StatusCode::OK && is_kind(headers, wanted) {
        return Ok(answer);
    }
    let proxied = Proxied::over_http(
        address,
        status,
        headers.get(LOCATION).map(HeaderValue::as_bytes),
    );
    let is_json = is_kind(headers, &JSON);
    if status.as_u16() < 400 || !is_json {
        return Err(refused::failure(Status::from(proxied)));
    }
    let body = Limited::new(answer.into_body(), MAX_REFUSAL)
        .collect()
        .await;
    let body = body.map_err(|error| refused::failure(Status::from_error(error)))?;
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Err(meaning(status, &text).unwrap_or_else(|| refused::failure(Status::from(proxied))))
}

/// What a refusal in JSON means. `None`: it is none of a SuperLink.
fn meaning(status: StatusCode, text: &str) -> Option<Failure> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let detail = answer.get("detail")?.as_str()?;
    let is_numbered = answer.get("code").is_some_and(Value::is_i64);
    let class = match status.as_u16() {
        400 | 415 | 422 => Class::Invalid,
        401 => Class::Unauthenticated,
        403 => Class::Forbidden,
        404 if is_numbered => Class::NotFound,
        // The path is unknown, or is no method.
        404 | 405 | 501 => Class::NotOffered,
        409 => Class::Exists,
        412 => Class::Precondition,
        429 => Class::Exhausted,
        500 => return Some(silent(Silence::Broken, detail)),
        502..=504 => return Some(silent(Silence::Busy, detail)),
        _ => return None,
    };
    Some(refused::refusal(class, if is_numbered { text } else { detail }).into())
}

fn silent(why: Silence, text: &str) -> Failure {
    Unanswered::new(why, printable::line(text)).into()
}

/// The message in a body.
pub(super) fn read<A: Read>(body: Bytes) -> Result<A> {
    A::decode(body).map_err(|error| {
        let text = format!("the answer cannot be read: {error}");
        Unanswered::new(Silence::Broken, text).into()
    })
}

#[cfg(test)]
mod tests {
    use flwr_core::refusal::Code;

    use super::*;

    fn refused(status: u16, text: &str) -> (Class, Option<Code>, String) {
        let status = StatusCode::from_u16(status).unwrap();
        match meaning(status, text).unwrap() {
            Failure::Answered(refused) => (refused.class, refused.code, refused.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_of_flwr_1_42_are_read() {
        for (status, text, class, code, shown) in [
            (
                401,
                r#"{"detail":"Invalid SuperNode authentication"}"#,
                Class::Unauthenticated,
                Some(Code::NodeNotProven),
                "Invalid SuperNode authentication",
            ),
            (
                404,
                r#"{"detail":"Not Found"}"#,
                Class::NotOffered,
                None,
                "Not Found",
            ),
            (
                404,
                r#"{"code":16,"detail":"Run ID not found."}"#,
                Class::NotFound,
                Some(Code::RunIdNotFound),
                "Run ID not found.",
            ),
            (
                412,
                r#"{"code":1001,"detail":"Runtime version compatibility check failed.","extra":"SuperLink version 1.41.0 detected"}"#,
                Class::Precondition,
                Some(Code::RuntimeVersionIncompatible),
                "Runtime version compatibility check failed. (SuperLink version 1.41.0 detected)",
            ),
            (
                412,
                r#"{"code":2004,"detail":"Failed to activate SuperNode."}"#,
                Class::Precondition,
                Some(Code::FleetNodeActivationFailed),
                "Failed to activate SuperNode.",
            ),
            (
                415,
                r#"{"code":1002,"detail":"Unsupported Content-Type."}"#,
                Class::Invalid,
                Some(Code::UnsupportedContentType),
                "Unsupported Content-Type.",
            ),
        ] {
            assert_eq!(
                refused(status, text),
                (class, code, shown.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_failure_is_no_refusal_and_other_json_is_not_the_superlinks() {
        let broken = meaning(
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"detail":"Internal server error."}"#,
        );
        assert_eq!(broken.unwrap().silence(), Some(Silence::Broken));
        let busy = meaning(StatusCode::SERVICE_UNAVAILABLE, r#"{"detail":"Later."}"#);
        assert_eq!(busy.unwrap().silence(), Some(Silence::Busy));
        for text in [
            "{}",
            r#"{"error":"no such route"}"#,
            r#"{"detail":[1]}"#,
            "<html>",
        ] {
            assert!(meaning(StatusCode::NOT_FOUND, text).is_none(), "{text}");
        }
    }
}
