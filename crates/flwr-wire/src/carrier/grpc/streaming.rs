//! Calls with many answers.

use bytes::Bytes;
use flwr_core::refusal::Failure;
use futures::StreamExt;
use futures::stream::{BoxStream, Stream};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;

use super::{Encoded, Intake, failed, framed, status};

/// The answers of one call, not encoded yet.
pub struct Answers(BoxStream<'static, Result<Box<dyn Encoded>, Status>>);

impl Answers {
    /// The messages of this stream. The first failure ends the call.
    pub fn new<M>(messages: impl Stream<Item = Result<M, Failure>> + Send + 'static) -> Self
    where
        M: Message + 'static,
    {
        let encoded = |message: Result<M, Failure>| match message {
            Ok(message) => Ok(Box::new(message) as Box<dyn Encoded>),
            Err(failure) => Err(status(failure)),
        };
        Self(messages.map(encoded).boxed())
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

/// Reads the only message of a call, and frames the answers to it.
pub(crate) async fn streaming<A, F>(
    intake: Intake<'_>,
    request: Request<Body>,
    answer: A,
) -> Response<Body>
where
    A: FnOnce(Bytes) -> F + Send,
    F: Future<Output = Result<Answers, Failure>> + Send,
{
    let taken = match intake.read(request.into_body()).await {
        Ok(taken) => taken,
        Err(status) => return status.into_http(),
    };
    match answer(taken.message).await {
        Ok(Answers(answers)) => framed(answers, HeaderMap::new()),
        Err(failure) => failed(failure),
    }
}
