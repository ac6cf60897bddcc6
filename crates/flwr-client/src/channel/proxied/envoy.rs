//! Answers of Envoy, and of what is built on it (Istio, Contour, several clouds' balancers). Envoy
//! answers a gRPC call with a gRPC status of its own, in which only the text and the headers tell
//! Envoy from the server behind it.

use http::{HeaderMap, StatusCode, header};
use tonic::{Code, Status};

use super::printable;

/// How Envoy's texts begin, and the HTTP status of each before Envoy makes it a gRPC status.
const TEXTS: [(&str, StatusCode); 9] = [
    ("upstream request timeout", StatusCode::GATEWAY_TIMEOUT),
    ("stream timeout", StatusCode::GATEWAY_TIMEOUT),
    ("upstream connect error", StatusCode::SERVICE_UNAVAILABLE),
    ("no healthy upstream", StatusCode::SERVICE_UNAVAILABLE),
    ("upstream max stream duration", StatusCode::GATEWAY_TIMEOUT),
    ("max duration timeout", StatusCode::GATEWAY_TIMEOUT),
    ("local_rate_limited", StatusCode::TOO_MANY_REQUESTS),
    ("RBAC: access denied", StatusCode::FORBIDDEN),
    ("Payload Too Large", StatusCode::PAYLOAD_TOO_LARGE),
];
/// Envoy adds this header to an answer of the server behind it.
const FROM_THE_SERVER: &str = "x-envoy-upstream-service-time";

/// The HTTP status and the text of an answer that Envoy gave itself.
pub(super) fn answer(headers: &HeaderMap) -> Option<(StatusCode, String)> {
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok || headers.contains_key(FROM_THE_SERVER) {
        return None;
    }
    let text = status.message();
    if let Some((_, code)) = TEXTS.iter().find(|(start, _)| text.starts_with(start)) {
        return Some((*code, printable(text.as_bytes())));
    }
    // Filters refuse without a text. A SuperLink gives a reason with each refusal.
    let is_wordless = text.is_empty() && names_envoy(headers);
    is_wordless.then(|| (refusal(status.code()), String::new()))
}

/// `server: envoy`, or `istio-envoy`.
fn names_envoy(headers: &HeaderMap) -> bool {
    let server = headers.get(header::SERVER);
    server.is_some_and(|name| name.as_bytes().ends_with(b"envoy"))
}

/// The HTTP status that Envoy made this code of.
const fn refusal(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::Internal => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(headers: &[(&'static str, &'static str)]) -> Option<(u16, String)> {
        let pairs = headers.iter();
        let headers = pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let (status, text) = answer(&headers.collect())?;
        Some((status.as_u16(), text))
    }

    #[test]
    fn texts_of_envoy_are_told_from_those_of_a_superlink() {
        let by = |code, text| answered(&[("grpc-status", code), ("grpc-message", text)]);
        for (code, text, expected) in [
            ("14", "upstream%20request%20timeout", Some(504)),
            ("14", "stream%20timeout", Some(504)),
            (
                "14",
                "upstream%20connect%20error%20or%20disconnect",
                Some(503),
            ),
            ("14", "no%20healthy%20upstream", Some(503)),
            ("7", "RBAC:%20access%20denied", Some(403)),
            ("14", "the%20SuperLink%20is%20starting", None),
            ("7", "Run%20is%20finished", None),
            ("0", "", None),
        ] {
            let status = by(code, text).map(|(status, _)| status);
            assert_eq!(status, expected, "{text}");
        }
        let (_, text) = by("14", "no%20healthy%20upstream").unwrap();
        assert_eq!(text, "no healthy upstream");
    }

    #[test]
    fn a_refusal_without_a_text_is_envoys_if_it_names_itself() {
        let denied = [("grpc-status", "7"), ("server", "istio-envoy")];
        assert_eq!(answered(&denied), Some((403, String::new())));
        assert_eq!(answered(&denied[..1]), None);
        let passed_on = [denied[0], denied[1], (FROM_THE_SERVER, "3")];
        assert_eq!(answered(&passed_on), None);
    }
}
