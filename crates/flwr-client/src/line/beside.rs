//! Carries the contents of large objects beside their messages over gRPC: tonic would copy a content into
//! its buffer of encoded messages, and out of the buffer of what has arrived.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use flwr_wire::content::Content;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

use super::Carries;

mod received;
mod room;
mod sent;

pub use room::Room;

/// A service for one call. `A` is the message of the answer.
#[derive(Debug)]
pub(super) struct Beside<S, A> {
    service: S,
    content: Option<Content>,
    room: Room,
    received: Received,
    answer: PhantomData<fn() -> A>,
}

/// The content of an answer, once all of it has arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<OnceLock<Bytes>>);

impl Received {
    /// Puts the content into the message that came with it.
    pub(super) fn put_into<A: Any>(&self, answer: &mut A) {
        if let Some(content) = self.0.get() {
            Content::put(answer, content.clone());
        }
    }
}

impl<S, A> Beside<S, A> {
    /// Sends this content after its message, and has `room` for the content of the answer.
    pub(super) fn new(service: S, content: Option<Content>, room: Room) -> Self {
        Self {
            service,
            content,
            room,
            received: Received::default(),
            answer: PhantomData,
        }
    }

    /// Where the content of the answer will be.
    pub(super) fn received(&self) -> Received {
        self.received.clone()
    }
}

impl<S: Carries, A: Any> Service<Request<Body>> for Beside<S, A> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let request = match self.content.take() {
            Some(content) => request.map(|body| sent::with(body, content)),
            None => request,
        };
        let answer = self.service.call(request);
        if !Content::is_in::<A>() {
            return Box::pin(answer);
        }
        let (room, received) = (self.room, self.received.clone());
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|body| received::aside::<A>(body, room, received)))
        })
    }
}

#[cfg(test)]
mod tests;
