//! The tokens of accounts: in the metadata of a call, and of its answer.
//!
//! An answer without a message has one block of headers only. Python looks there for the status, and
//! for nothing else. The status of such an answer is therefore moved into trailers of its own (flwr
//! 1.22 wire).

use bytes::Bytes;
use flwr_core::port::control::Tokens;
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Empty};
use tonic::body::Body;

use crate::host::AccountProof;

const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";
/// The headers of gRPC's own that may stand in trailers.
const STATUS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

/// The tokens that a call shows.
pub(crate) fn account_proof(headers: &HeaderMap) -> AccountProof {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    AccountProof {
        access: text(ACCESS),
        refresh: text(REFRESH),
    }
}

/// The response, with new tokens for the caller.
pub(crate) fn with_tokens(response: Response<Body>, tokens: &Tokens) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    for (name, token) in [(ACCESS, &tokens.access), (REFRESH, &tokens.refresh)] {
        // The host gives no tokens that do not fit into a header.
        if let Ok(mut value) = HeaderValue::from_str(token) {
            value.set_sensitive(true);
            parts.headers.insert(name, value);
        }
    }
    if !parts.headers.contains_key(STATUS[0]) {
        return Response::from_parts(parts, body);
    }
    let mut trailers = HeaderMap::new();
    for name in STATUS {
        if let Some(value) = parts.headers.remove(name) {
            trailers.insert(name, value);
        }
    }
    let body = Empty::<Bytes>::new().with_trailers(async move { Some(Ok(trailers)) });
    Response::from_parts(parts, Body::new(body))
}

#[cfg(test)]
mod tests {
    use flwr_core::id::RunId;
    use flwr_core::refusal::Refusal;
    use http_body_util::Full;

    use super::super::failed;
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            access: "access-2".to_owned(),
            refresh: "refresh-2".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_status_in_trailers() {
        let refusal = failed(Refusal::RunNotFound(RunId(7)).into());
        let response = with_tokens(refusal, &tokens());
        assert_eq!(response.headers()[ACCESS], "access-2");
        assert_eq!(response.headers()[REFRESH], "refresh-2");
        assert!(response.headers()[ACCESS].is_sensitive());
        assert!(!response.headers().contains_key("grpc-status"));
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "5");
        assert_eq!(trailers["grpc-message"], "Run%20ID%20not%20found");
    }

    #[tokio::test]
    async fn an_answer_keeps_its_body() {
        let body = Body::new(Full::new(Bytes::from_static(b"answer")));
        let response = with_tokens(Response::new(body), &tokens());
        assert_eq!(response.headers()[REFRESH], "refresh-2");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "answer");
    }

    #[test]
    fn tokens_that_are_no_text_are_none() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS, HeaderValue::from_bytes(b"\xff").unwrap());
        headers.insert(REFRESH, HeaderValue::from_static("refresh-1"));
        let AccountProof { access, refresh } = account_proof(&headers);
        assert_eq!((access, refresh.as_deref()), (None, Some("refresh-1")));
    }
}
