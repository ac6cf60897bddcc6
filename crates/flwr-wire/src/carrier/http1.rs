//! Messages over HTTP/1.1 (flwr 1.35 and later): a call is a POST whose body is the message. The path of
//! a method is made from its name: `/v1/fleet/pull-messages`. Answers are messages, or frames of a
//! stream: the length of each message in four bytes, then the message. A refusal is an HTTP status and
//! an object in JSON.

use std::convert::Infallible;
use std::mem;

use flwr_core::refusal::Failure;
use futures::{StreamExt, stream};
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, ORIGIN, PRAGMA,
};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use tonic::body::Body;

use super::answer::{Answer, Answers};
use super::intake::Unread;
use super::{Reader, VERSION};
use crate::host::AccountProof;

mod media;
mod path;
mod problem;

pub use media::{JSON, LENGTH_BYTES, PROTOBUF, STREAM, is_kind};
pub(crate) use path::is_method;
pub use path::path_of;
use problem::Problem;

/// What an app tells of itself, beside its token.
const OF_APPS: [&str; 3] = ["flwr-package-name", VERSION, "flwr-component-name"];
/// Headers by which a browser tells what a page does. No client of Flower sends them.
const OF_BROWSERS: &str = "sec-fetch-";

/// Whether a request is accepted; else the response that refuses it.
pub(super) type Accepted = Result<(), Box<Response<Body>>>;

/// Whether the request may be a call: POST, and not of a page in a browser. A page could have its own
/// name point to this machine, and then call what only programs of this machine reach.
pub(super) fn accept<B>(request: &Request<B>) -> Accepted {
    if request.method() != Method::POST {
        return Err(Box::new(wrong_method("POST")));
    }
    let mut names = request.headers().keys();
    if names.any(|name| name == ORIGIN || name.as_str().starts_with(OF_BROWSERS)) {
        let text = "calls of web pages are not served here";
        return Err(refused(Problem::of(StatusCode::FORBIDDEN, text)));
    }
    Ok(())
}

/// Whether the body is a message.
pub(super) fn accept_content<B>(request: &Request<B>) -> Accepted {
    match is_kind(request.headers(), &PROTOBUF) {
        true => Ok(()),
        false => Err(refused(Problem::content_type())),
    }
}

/// Whether the request tells what an app must tell of itself. The layout of some messages depends on the
/// release.
pub(super) fn accept_app<B>(request: &Request<B>) -> Accepted {
    let headers = request.headers();
    let is_told = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    if let Some(missing) = OF_APPS.iter().find(|name| !is_told(name)) {
        return Err(refused(Problem::no_metadata(missing)));
    }
    match headers.get(VERSION) {
        Some(version) if super::release(headers).is_none() => {
            let text = String::from_utf8_lossy(version.as_bytes());
            Err(refused(Problem::no_version(&text)))
        }
        _ => Ok(()),
    }
}

fn refused(problem: Problem) -> Box<Response<Body>> {
    Box::new(problem.into())
}

/// The token that a call of a person shows. A refresh token has a call of its own.
pub(super) fn account_proof(headers: &HeaderMap) -> AccountProof {
    let header = headers.get(AUTHORIZATION);
    let text = header.and_then(|value| value.to_str().ok());
    let token = text.and_then(|text| text.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    AccountProof {
        access: token.map(|(_, token)| token.trim().to_owned()),
        refresh: None,
    }
}

/// The response with this answer.
pub(super) fn answered(mut answer: Answer) -> Response<Body> {
    let headers = mem::take(&mut answer.headers);
    let (head, content) = answer.encoded(0);
    let length = head.len() + content.len();
    let body = if content.is_empty() {
        Body::new(Full::new(head.into()))
    } else {
        let parts = [head.into(), content]
            .map(Frame::data)
            .map(Ok::<_, Infallible>);
        Body::new(StreamBody::new(stream::iter(parts)))
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROTOBUF);
    headers.insert(CONTENT_LENGTH, length.into());
    response
}

/// The response with these answers. A failure after the first answer breaks the stream off: its caller
/// reads no end.
pub(super) fn streamed(Answers(answers): Answers) -> Response<Body> {
    let frames = answers.map(|answer| match answer {
        Ok(message) => {
            let mut bytes = message.bytes(LENGTH_BYTES);
            let length = bytes.len() - LENGTH_BYTES;
            // Longer messages are not made anywhere: gRPC's limit is the same.
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            bytes[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
            Ok(Frame::data(bytes.into()))
        }
        Err(failure) => Err(super::grpc::status(failure)),
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, STREAM);
    response
}

/// The response to a call that is refused or fails.
pub(super) fn failed(failure: Failure, reader: Reader) -> Response<Body> {
    Problem::told(failure, reader).into()
}

/// The response to a request that was not read.
pub(super) fn unread(why: &Unread) -> Response<Body> {
    Problem::unread(why).into()
}

/// The response to a path that nobody serves.
pub(crate) fn unknown_path() -> Response<Body> {
    Problem::of(StatusCode::NOT_FOUND, "Not Found").into()
}

/// The response to a request by another method than this one.
pub(crate) fn wrong_method(allowed: &'static str) -> Response<Body> {
    let refused = Problem::of(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    let mut response = Response::from(refused);
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The same response, which nobody may keep: tokens are in it.
pub(crate) fn not_to_be_kept(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests;
