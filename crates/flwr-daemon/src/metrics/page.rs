//! The answers at `--metrics-address`.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use flwr_metrics::{Form, Levels, Process, Registry, encode};
use flwr_security::from_file::FromFile;
use flwr_security::peer::Peer;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use thiserror::Error;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service;

use super::{MetricsPlace, MetricsToken};
use crate::listen::{self, Listener, Meter};
use crate::renew::Renewals;
use crate::stop::Stopper;

/// Why a daemon is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// It ends.
    #[error("draining: this daemon is about to end")]
    Draining,
    /// It cannot store anything.
    #[error("the state cannot be written: see this daemon's log")]
    NotWritable,
    /// It has no SuperLink.
    #[error("not registered with the SuperLink: see this daemon's log")]
    NotRegistered,
}

/// The daemon behind the page.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// Reads again what is not counted where it happens.
    async fn refresh(&self);

    /// Whether the daemon is ready for peers.
    ///
    /// # Errors
    /// Why it is not.
    fn ready(&self) -> Result<(), NotReady>;
}

/// The page. Clones share it.
#[derive(Clone, Debug)]
pub struct Page(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    source: Arc<dyn Source>,
    token: Option<Arc<FromFile<MetricsToken>>>,
    process: Process,
    expiry: Levels,
    renewals: Renewals,
}

impl Page {
    /// The page of this daemon, whose own numbers stand in the `registry`. Those that all daemons have are
    /// added.
    #[must_use]
    pub fn new(
        place: &MetricsPlace,
        mut registry: Registry,
        (meter, renewals): (&Meter, &Renewals),
        source: Arc<dyn Source>,
    ) -> Self {
        let (process, expiry) = (Process::default(), Levels::new("flag"));
        process.register(&mut registry);
        meter.register(&mut registry);
        renewals.register(&mut registry);
        let help =
            "Time at which the first certificate or list of a flag expires, in seconds since 1970";
        let name = "flwr_certificate_expiry_timestamp_seconds";
        expiry.register(&mut registry, name, help);
        Self(Arc::new(Inner {
            registry,
            source,
            token: place.token(),
            process,
            expiry,
            renewals: renewals.clone(),
        }))
    }

    /// Serves the page until `stopper` stops.
    ///
    /// # Errors
    /// The server ended by itself.
    pub async fn serve(self, listener: Listener, stopper: Stopper) -> Result<(), listen::Error> {
        let listener = listener.with_http1_alone(self);
        listener.serve(Routes::default(), stopper).await
    }

    /// The answer to a request.
    async fn answer(&self, request: &Parts) -> Response<Body> {
        let path = request.uri.path();
        if !["/metrics", "/livez", "/readyz"].contains(&path) {
            let text = "not found: there are /metrics, /livez and /readyz here";
            return line(StatusCode::NOT_FOUND, text);
        }
        if ![Method::GET, Method::HEAD].contains(&request.method) {
            let mut refused = line(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            return refused;
        }
        let response = match path {
            "/livez" => line(StatusCode::OK, "ok"),
            "/readyz" => match self.0.source.ready() {
                Ok(()) => line(StatusCode::OK, "ok"),
                Err(reason) => line(StatusCode::SERVICE_UNAVAILABLE, &reason.to_string()),
            },
            _ => {
                let token = self.0.token.as_ref().map(|token| token.now());
                if token.is_some_and(|token| !token.is_shown(&request.headers)) {
                    return unauthorized();
                }
                self.numbers(request).await
            }
        };
        // Whoever reads on the same connection again is no stranger.
        if let Some(peer) = request.extensions.get::<Peer>() {
            peer.standing.admit();
        }
        response
    }

    async fn numbers(&self, request: &Parts) -> Response<Body> {
        let Inner {
            registry,
            source,
            process,
            expiry,
            renewals,
            ..
        } = &*self.0;
        source.refresh().await;
        process.refresh();
        renewals.tell_expiry(expiry);
        let accept = request.headers.get(ACCEPT);
        let form = Form::accepted(accept.and_then(|accept| accept.to_str().ok()));
        text(StatusCode::OK, form.media_type(), encode(registry, form))
    }
}

impl Service<Request<Body>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // No request here has a body that is read.
        let (page, (head, _)) = (self.clone(), request.into_parts());
        Box::pin(async move { Ok(page.answer(&head).await) })
    }
}

fn unauthorized() -> Response<Body> {
    let text = "the token of --metrics-token-file is needed: Authorization: Bearer TOKEN";
    let mut refused = line(StatusCode::UNAUTHORIZED, text);
    let scheme = HeaderValue::from_static("Bearer");
    refused.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    refused
}

fn line(status: StatusCode, told: &str) -> Response<Body> {
    text(status, "text/plain; charset=utf-8", format!("{told}\n"))
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
