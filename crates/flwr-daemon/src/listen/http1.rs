//! HTTP/1.1 on top of connections (flwr 1.35 and later): each has a task of its own, which is part of
//! the listener and ends with it.

mod framing;
mod rest;

use std::convert::Infallible;
use std::time::Duration;

use http::header::{CONNECTION, EXPECT, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::body::Body;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tracing::debug;

use super::Connection;
use crate::stop::Stopper;
use framing::{Framed, Framing};
use rest::Rest;

/// What answers the requests of a port over HTTP/1.1.
pub(super) type Http1Service = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// How long a connection may be idle, or send the head of a request. Clients of flwr 1.35 and later use
/// a connection again within 5 s.
const IDLE: Duration = Duration::from_secs(75);
/// Bytes of the head of a request, and of what is read ahead of its body.
const BUFFER_BYTES: usize = 64 << 10;
/// Headers of a request. Clients send about a dozen.
const HEADERS: usize = 64;

/// Serves the connections that come in. When `stopper` stops, each has its call under way answered and
/// ends.
pub(super) async fn run(
    mut incoming: mpsc::Receiver<Connection>,
    service: Http1Service,
    stopper: Stopper,
) {
    let mut connections = JoinSet::new();
    while let Some(connection) = incoming.recv().await {
        connections.spawn(serve(connection, service.clone(), stopper.clone()));
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

async fn serve(connection: Connection, service: Http1Service, stopper: Stopper) {
    let peer = connection.peer().clone();
    let chain = connection.chain().cloned();
    let framing = Framing::default();
    let io = TokioIo::new(Framed::new(connection, framing.clone()));
    let answers = service_fn(|request: Request<Incoming>| {
        let (service, framing) = (service.clone(), framing.clone());
        let (peer, chain) = (peer.clone(), chain.clone());
        async move {
            if framing.is_ambiguous() {
                return Ok(ambiguous("Content-Length and Transfer-Encoding"));
            }
            // RFC 9112, 3.2. A request without Host passes, as with pip's: some probes of balancers
            // send none.
            if request.headers().get_all(HOST).iter().nth(1).is_some() {
                return Ok(ambiguous("two Host headers"));
            }
            let is_last = request.headers().contains_key(TRANSFER_ENCODING);
            // Who waits for leave to send a body sends none after a refusal.
            let waits = request.headers().contains_key(EXPECT);
            let rest = Rest::default();
            let mut request = request.map(|body| Body::new(rest.lend(body)));
            request.extensions_mut().insert(peer);
            if let Some(chain) = chain {
                request.extensions_mut().insert(chain);
            }
            let mut response = service.oneshot(request).await?;
            if is_last || !rest.is_over(waits).await {
                close_after(&mut response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(io, answers);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stopper.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(peer = %peer.address, %error, "a connection ended");
    }
}

/// The answer to a request that says in two ways how long its body is, or for whom it is. A proxy in
/// between may have read the other one, and what follows may be part of the body.
fn ambiguous(what: &str) -> Response<Body> {
    let text = format!(r#"{{"detail":"{what} in one request"}}"#);
    let body = Body::new(text);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let json = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    close_after(&mut response);
    response
}

fn close_after(response: &mut Response<Body>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
}
