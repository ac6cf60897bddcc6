//! The channel that our programs call over. It carries gRPC by a tonic channel that can be replaced by
//! a new connection, counts what it receives, and tells an answer of the server from an answer of a
//! proxy before it. Beside that it has the channel for HTTP/1.1 to the same program.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tonic::transport;
use tower::Service;

use super::carrier::Spoken;
use super::http1::HttpChannel;
use super::last_word::LastWord;
use super::proxied::not_grpc;
use super::received::Received;

/// A gRPC channel. Cheap to clone: all clones share the connection.
#[derive(Clone)]
pub struct Channel {
    address: Arc<str>,
    open: Arc<dyn Fn() -> transport::Channel + Send + Sync>,
    current: Arc<watch::Sender<transport::Channel>>,
    received: Received,
    http: HttpChannel,
    spoken: Spoken,
    last_word: LastWord,
}

impl Channel {
    /// A channel to `address`. `open` makes a tonic channel that connects at its first call, and
    /// whose connections are counted by `received` and leave their `last_word`.
    pub(super) fn new(
        address: String,
        received: Received,
        http: HttpChannel,
        last_word: LastWord,
        open: impl Fn() -> transport::Channel + Send + Sync + 'static,
    ) -> Self {
        Self {
            address: address.into(),
            current: Arc::new(watch::Sender::new(open())),
            open: Arc::new(open),
            received,
            http,
            spoken: Spoken::default(),
            last_word,
        }
    }

    /// The carrier that the program speaks.
    pub(crate) const fn spoken(&self) -> &Spoken {
        &self.spoken
    }

    /// The channel for HTTP/1.1 to the same program.
    #[must_use]
    pub const fn http(&self) -> &HttpChannel {
        &self.http
    }

    /// Has later calls use a new connection, for which the name is resolved again. Calls under way
    /// stay on the old connection.
    pub fn replace(&self) {
        self.http.replace();
        self.current.send_replace((self.open)());
    }

    /// Waits until the connection that is current now has been replaced.
    pub async fn replaced(&self) {
        // The sender is in `self`: it outlives this borrow of it.
        let _ = self.current.subscribe().changed().await;
    }

    /// Bytes received so far, over all connections.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.total()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    /// The connection itself is asked in the call, since each call may have another.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut channel = self.current.borrow().clone();
        let (address, last_word) = (Arc::clone(&self.address), self.last_word.clone());
        Box::pin(async move {
            let answer = match poll_fn(|context| channel.poll_ready(context)).await {
                Ok(()) => channel.call(request).await,
                Err(error) => Err(error),
            };
            let answer = answer.map_err(|error| last_word.named(error))?;
            match not_grpc(&address, &answer) {
                None => Ok(answer),
                Some(proxied) => Err(Status::from(proxied).into()),
            }
        })
    }
}
