//! The rest of a request that was answered before its body was read. Whoever is refused by the head of
//! a request may still be sending the body. A connection that ends then without a word takes the
//! client's next request with it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::time::timeout;

/// Bytes of a body that are read to keep its connection.
const SHORT: u64 = 64 << 10;
/// How long the rest of a body is waited for.
const SOON: Duration = Duration::from_secs(1);

/// What a reader has left of a body.
#[derive(Clone, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Incoming>>>);

/// A body that is given back where its reader stops before the end.
pub(super) struct Lent {
    body: Option<Incoming>,
    rest: Rest,
}

impl Rest {
    /// Lends a body to its reader.
    pub(super) fn lend(&self, body: Incoming) -> Lent {
        Lent {
            body: Some(body),
            rest: self.clone(),
        }
    }

    /// Reads a short rest, unless its client `waits` for leave to send the body. False: bytes of this
    /// body may still come.
    pub(super) async fn is_over(&self, waits: bool) -> bool {
        let Some(body) = self.0.lock().take() else {
            return true;
        };
        let is_short = body.size_hint().upper().is_some_and(|left| left <= SHORT);
        !waits && is_short && matches!(timeout(SOON, body.collect()).await, Ok(Ok(_)))
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.rest.0.lock() = self.body.take().filter(|body| !body.is_end_stream());
    }
}
