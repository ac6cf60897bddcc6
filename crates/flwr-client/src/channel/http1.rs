//! The channel for HTTP/1.1: a few connections, each for one call at a time, which are kept for a
//! moment and used again.
//!
//! The pool is hyper-util's, which tonic has in the tree already. reqwest would bring a second proxy
//! and TLS configuration beside ours.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tower::Service;

use super::received::Received;
use super::{ConnectError, Io, Target, Trust, joined};

/// How long an unused connection is kept. SuperLinks of flwr close theirs after 5 s.
const IDLE: Duration = Duration::from_secs(4);

type BoxError = Box<dyn Error + Send + Sync>;
type Pool = Client<Connector, Full<Bytes>>;

/// A channel for HTTP/1.1. Cheap to clone: all clones share the connections.
#[derive(Clone)]
pub struct HttpChannel {
    target: Arc<Target>,
    received: Received,
    current: Arc<Mutex<Pool>>,
}

impl HttpChannel {
    /// A channel to the target, whose connections are counted by `received`.
    pub(super) fn new(target: Target, received: Received) -> Self {
        let target = Arc::new(target);
        let pool = pool(&target, &received);
        Self {
            target,
            received,
            current: Arc::new(Mutex::new(pool)),
        }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        self.target.address()
    }

    /// The address of a path there.
    ///
    /// # Errors
    /// If the host's name is none that an address can have.
    pub fn uri(&self, path: &str) -> Result<Uri, http::Error> {
        let scheme = match self.target.trust {
            Trust::Plaintext => "http",
            Trust::Tls(_) => "https",
        };
        Uri::builder()
            .scheme(scheme)
            .authority(joined(&self.target.host, self.target.port))
            .path_and_query(path)
            .build()
    }

    /// Sends a request, and gives the head of the answer.
    ///
    /// # Errors
    /// If there is no connection, or it breaks.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, BoxError> {
        let pool = self.current.lock().clone();
        let answer = pool.request(request).await;
        answer.map_err(|error| self.target.last_word.named(error))
    }

    /// Has later calls use new connections, for which the name is resolved again.
    pub(super) fn replace(&self) {
        *self.current.lock() = pool(&self.target, &self.received);
    }
}

fn pool(target: &Arc<Target>, received: &Received) -> Pool {
    let connector = Connector {
        target: Arc::clone(target),
        received: received.clone(),
    };
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

impl fmt::Debug for HttpChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpChannel")
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

/// Connects to the target, whatever address is asked for.
#[derive(Clone)]
struct Connector {
    target: Arc<Target>,
    received: Received,
}

impl Service<Uri> for Connector {
    type Response = Line;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Line, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { target, received } = self.clone();
        Box::pin(async move {
            let connection = received.count(target.connect().await?);
            Ok(Line(TokioIo::new(connection)))
        })
    }
}

/// A connection, as hyper-util's pool takes it.
struct Line(TokioIo<Box<dyn Io>>);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
