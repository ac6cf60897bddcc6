//! A channel whose calls all tell the same reason when the server turns this side away.
//!
//! In TLS 1.3 a server looks at the client's certificate when the handshake is done on this side:
//! the connection is there, a call goes over it, and then it breaks. The call that was under way
//! gets the server's word, and a call that was still waiting for its turn only that it was cancelled.
//! So the word is kept until a connection works, and given to both.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tonic::body::Body;
use tonic::transport::channel::ResponseFuture;
use tonic::transport::{self, Error};
use tower::Service;

use super::ConnectError;

/// What a server said against this side on its last connection.
#[derive(Clone, Debug, Default)]
pub(super) struct LastWord(Arc<Mutex<Option<ConnectError>>>);

/// A gRPC channel. Cheap to clone.
#[derive(Clone)]
pub struct Channel {
    inner: transport::Channel,
    last_word: LastWord,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Answer {
    inner: ResponseFuture,
    last_word: LastWord,
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl LastWord {
    pub(super) fn keep(&self, error: &ConnectError) {
        *self.0.lock() = Some(error.clone());
    }

    pub(super) fn forget(&self) {
        *self.0.lock() = None;
    }

    /// The error of a call, which says why there is no connection if that is the reason.
    fn named(&self, error: Error) -> BoxError {
        let mut causes = std::iter::successors(error.source(), |&cause| cause.source());
        if causes.any(|cause| cause.is::<ConnectError>()) {
            return error.into();
        }
        match self.0.lock().clone() {
            Some(word) => word.into(),
            None => error.into(),
        }
    }
}

impl Channel {
    pub(super) const fn new(inner: transport::Channel, last_word: LastWord) -> Self {
        Self { inner, last_word }
    }
}

impl From<transport::Channel> for Channel {
    fn from(inner: transport::Channel) -> Self {
        Self::new(inner, LastWord::default())
    }
}

impl Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let ready = self.inner.poll_ready(context);
        ready.map_err(|error| self.last_word.named(error))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answer {
        Answer {
            inner: self.inner.call(request),
            last_word: self.last_word.clone(),
        }
    }
}

impl Future for Answer {
    type Output = Result<http::Response<Body>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.inner).poll(context);
        answer.map_err(|error| self.last_word.named(error))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel")
    }
}
