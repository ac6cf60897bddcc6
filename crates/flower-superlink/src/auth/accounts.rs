//! Who calls Control, where people sign in: two tokens come with each call but those of the login
//! itself, and what they prove is an [`Account`] among the request's extensions.
//!
//! New tokens go back in the headers of the answer, also of one that refuses. An answer of gRPC
//! that has no message has one block of headers only, in which Python looks for the status and for
//! nothing else: there the status is moved into trailers of its own (flwr 1.22 wire).

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Layer, Service};

use crate::accounts::{Accounts, Admitted, TokenPair, Turned};
use crate::status;

/// Where the tokens are, in both directions.
const ACCESS: &str = "flwr-oidc-access-token";
const REFRESH: &str = "flwr-oidc-refresh-token";
/// The calls that are made before there are tokens.
const LOGIN: [&str; 2] = ["GetLoginDetails", "GetAuthTokens"];
/// What of gRPC's own may stand in trailers.
const STATUS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

/// Lets those through to a service who have signed in; without accounts, all.
#[derive(Debug, Clone)]
pub struct SignedIn(Option<Arc<Accounts>>);

/// A service behind [`SignedIn`].
#[derive(Debug, Clone)]
pub struct ForAccounts<S> {
    inner: S,
    accounts: Option<Arc<Accounts>>,
}

impl SignedIn {
    /// Lets those through whom `accounts` admits.
    #[must_use]
    pub const fn new(accounts: Option<Arc<Accounts>>) -> Self {
        Self(accounts)
    }
}

impl<S> Layer<S> for SignedIn {
    type Service = ForAccounts<S>;

    fn layer(&self, inner: S) -> ForAccounts<S> {
        ForAccounts {
            inner,
            accounts: self.0.clone(),
        }
    }
}

impl<S> Service<Request<Body>> for ForAccounts<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let accounts = self.accounts.clone().filter(|_| !is_login(&request));
        let Some(accounts) = accounts else {
            return Box::pin(self.inner.call(request));
        };
        // The service that is ready is this one; the clone that stays may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let (access, refresh) = tokens(request.headers());
            let admitted = accounts.admit(access.as_deref(), refresh.as_deref());
            let (response, fresh) = match admitted.await {
                Ok(Admitted { account, fresh }) => {
                    request.extensions_mut().insert(account);
                    (inner.call(request).await?, fresh)
                }
                Err(Turned { why, fresh }) => (status::of(why).into_http(), fresh),
            };
            Ok(match fresh {
                None => response,
                Some(pair) => with_tokens(response, &pair),
            })
        })
    }
}

impl<S: NamedService> NamedService for ForAccounts<S> {
    const NAME: &'static str = S::NAME;
}

fn is_login(request: &Request<Body>) -> bool {
    let method = request.uri().path().rsplit('/').next();
    method.is_some_and(|method| LOGIN.contains(&method))
}

fn tokens(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    (text(ACCESS), text(REFRESH))
}

fn with_tokens(response: Response<Body>, pair: &TokenPair) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    for (name, token) in [(ACCESS, &pair.access), (REFRESH, &pair.refresh)] {
        // Tokens that are no header were refused before.
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

    use super::*;

    fn pair() -> TokenPair {
        TokenPair {
            access: "access-2".to_owned(),
            refresh: "refresh-2".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_refusal_keeps_its_status_in_trailers() {
        let refusal = status::of(Refusal::RunNotFound(RunId(7))).into_http();
        let response = with_tokens(refusal, &pair());
        assert_eq!(response.headers()[ACCESS], "access-2");
        assert_eq!(response.headers()[REFRESH], "refresh-2");
        assert!(!response.headers().contains_key("grpc-status"));
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "5");
        assert_eq!(trailers["grpc-message"], "Run%20ID%20not%20found");
    }

    #[tokio::test]
    async fn an_answer_keeps_its_body() {
        let body = Body::new(http_body_util::Full::new(Bytes::from_static(b"answer")));
        let response = with_tokens(Response::new(body), &pair());
        assert_eq!(response.headers()[REFRESH], "refresh-2");
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "answer");
    }

    #[test]
    fn only_the_two_calls_of_a_login_need_no_tokens() {
        for (path, free) in [
            ("/flwr.proto.Control/GetLoginDetails", true),
            ("/flwr.proto.Exec/GetAuthTokens", true),
            ("/flwr.proto.Control/StartRun", false),
            ("/flwr.proto.Control/GetLoginDetails/StartRun", false),
            ("/flwr.proto.Control/", false),
            ("/", false),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(is_login(&request), free, "{path}");
        }
    }
}
