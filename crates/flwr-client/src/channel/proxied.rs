//! Answers that do not come from a gRPC server: a proxy, balancer, mesh or login page on the way
//! answers in its place.

mod envoy;

use std::error::Error;
use std::sync::Arc;

use h2::Reason;
use http::{HeaderMap, Response, StatusCode, header};
use tonic::{Code, Status};

use super::cause;

/// An answer over HTTP that no gRPC server gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy at {address} answered {}{}{}", shown(*.status), way_out(*.status, .location.as_deref()), after_colon(.text))]
pub struct Proxied {
    /// Host and port that were called.
    pub address: String,
    /// The HTTP status.
    pub status: StatusCode,
    /// Where a redirection leads to.
    pub location: Option<String>,
    /// What the proxy gave as the reason; empty if it gave none.
    pub text: String,
}

/// What the answer is, unless the gRPC server gave it. gRPC servers name their content type, also
/// with a refusal ("gRPC over HTTP2", Responses).
pub(super) fn not_grpc<T>(address: &str, answer: &Response<T>) -> Option<Proxied> {
    let headers = answer.headers();
    let (status, text) = if headers.contains_key(Status::GRPC_STATUS) {
        envoy::answer(headers)?
    } else if answer.status() == StatusCode::OK && is_grpc(headers) {
        return None;
    } else {
        (answer.status(), String::new())
    };
    let location = headers.get(header::LOCATION);
    Some(Proxied {
        address: address.to_owned(),
        status,
        location: location.map(|place| printable(place.as_bytes())),
        text,
    })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// As much of what a server said as can be shown on one line.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    flwr_core::printable::line(&text)
        .chars()
        .take(200)
        .collect()
}

/// `502 Bad Gateway`.
fn shown(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("{} {reason}", status.as_u16())
        .trim_end()
        .to_owned()
}

fn after_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

fn way_out(status: StatusCode, location: Option<&str>) -> String {
    match (status, location) {
        (
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            _,
        ) => " in place of the SuperLink".to_owned(),
        (StatusCode::TOO_MANY_REQUESTS, _) => ": it limits the rate of requests".to_owned(),
        (StatusCode::PAYLOAD_TOO_LARGE, _) => {
            ": its limit for a request's body is too small for a model".to_owned()
        }
        (
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            _,
        ) => ": it does not let this machine through".to_owned(),
        (status, Some(place)) if status.is_redirection() => {
            format!(" and leads to {place}: a login page, or another address than the SuperLink's")
        }
        _ => ": it does not pass calls on, or the address is not that of a SuperLink".to_owned(),
    }
}

impl Proxied {
    /// An answer over HTTP/1.1 that no SuperLink gave.
    pub(crate) fn over_http(address: &str, status: StatusCode, location: Option<&[u8]>) -> Self {
        Self {
            address: address.to_owned(),
            status,
            location: location.map(printable),
            text: String::new(),
        }
    }
}

impl From<Proxied> for Status {
    /// The code is as gRPC maps HTTP statuses ("HTTP to gRPC Status Code Mapping").
    fn from(proxied: Proxied) -> Self {
        let code = match proxied.status {
            StatusCode::BAD_REQUEST => Code::Internal,
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::Unimplemented,
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
            _ => Code::Unknown,
        };
        let mut status = Self::new(code, proxied.to_string());
        status.set_source(Arc::new(proxied));
        status
    }
}

/// The proxy's answer that a call ended with, if it ended so.
#[must_use]
pub fn proxied<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Proxied> {
    cause(error)
}

/// Whether the server has not worked on the call, and asks for it on a new connection: it closes
/// this one in order (GOAWAY with NO_ERROR), or refuses the stream (RFC 9113, 6.8 and 8.7).
#[must_use]
pub fn is_to_be_repeated(error: &(dyn Error + 'static)) -> bool {
    let refused = cause::<h2::Error>(error).is_some_and(|error| match error.reason() {
        Some(Reason::NO_ERROR) => error.is_go_away(),
        Some(Reason::REFUSED_STREAM) => error.is_remote(),
        _ => false,
    });
    // A request that waited in this process for a connection that closes.
    let unsent = || cause::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled);
    refused || unsent()
}

/// Whether the stream of a call was ended on the way while its answer was waited for: by a reset,
/// or by the end of the connection.
#[must_use]
pub fn is_cut(error: &(dyn Error + 'static)) -> bool {
    let timed_out =
        proxied(error).is_some_and(|answer| answer.status == StatusCode::GATEWAY_TIMEOUT);
    timed_out || cause::<h2::Error>(error).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Response<()> {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(()).unwrap()
    }

    #[test]
    fn an_answer_of_a_grpc_server_is_left_alone() {
        for headers in [
            &[("content-type", "application/grpc")][..],
            &[("content-type", "application/grpc+proto")],
            &[("grpc-status", "14")],
        ] {
            assert_eq!(not_grpc("host:1", &answer(200, headers)), None);
        }
    }

    #[test]
    fn an_answer_that_envoy_gives_with_a_grpc_status_is_a_proxys() {
        let headers = [
            ("content-type", "application/grpc"),
            ("grpc-status", "14"),
            ("grpc-message", "upstream%20request%20timeout"),
        ];
        let met = not_grpc("host:1", &answer(200, &headers)).unwrap();
        assert_eq!(
            met.to_string(),
            "a proxy at host:1 answered 504 Gateway Timeout in place of the SuperLink: upstream request timeout"
        );
        let status = Status::from(met);
        assert_eq!(status.code(), Code::Unavailable);
        assert!(is_cut(&status));
    }

    #[test]
    fn a_proxys_answer_has_the_code_that_grpc_says_and_names_its_status() {
        for (http, code) in [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (413, Code::Unknown),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (200, Code::Unknown),
        ] {
            let met = not_grpc("host:1", &answer(http, &[("content-type", "text/html")])).unwrap();
            let status = Status::from(met.clone());
            assert_eq!(status.code(), code, "{http}");
            assert_eq!(proxied(&status), Some(&met));
            let start = format!("a proxy at host:1 answered {http} ");
            assert!(status.message().starts_with(&start), "{status:?}");
        }
    }

    #[test]
    fn a_login_page_is_named() {
        let page = answer(302, &[("location", "https://login.example/?a")]);
        let text = not_grpc("host:1", &page).unwrap().to_string();
        assert!(text.contains("leads to https://login.example/?a"), "{text}");
    }

    #[test]
    fn what_a_server_has_not_worked_on_is_repeated() {
        let status = |reason: Reason| Status::from_error(Box::new(h2::Error::from(reason)));
        // Made here, these are not the other side's.
        assert!(!is_to_be_repeated(&status(Reason::REFUSED_STREAM)));
        assert!(!is_to_be_repeated(&status(Reason::INTERNAL_ERROR)));
        assert!(is_cut(&status(Reason::CANCEL)));
        assert!(!is_cut(&Status::unavailable("busy")));
    }
}
