//! Calls with many answers.

use bytes::Bytes;
use flwr_core::refusal::Failure;
use futures::StreamExt;
use futures::stream::{BoxStream, Stream};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tonic::body::Body;

use super::{Encoded, Intake, failed_for, framed};

/// The answers of one call, not encoded yet.
pub struct Answers(BoxStream<'static, Result<Box<dyn Encoded>, Failure>>);

impl Answers {
    /// The messages of this stream. The first failure ends the call.
    pub fn new<M>(messages: impl Stream<Item = Result<M, Failure>> + Send + 'static) -> Self
    where
        M: Message + 'static,
    {
        let boxed = |message: Result<M, Failure>| {
            message.map(|message| Box::new(message) as Box<dyn Encoded>)
        };
        Self(messages.map(boxed).boxed())
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
    let reader = intake.reader;
    let taken = match intake.read(request.into_body()).await {
        Ok(taken) => taken,
        Err(status) => return status.into_http(),
    };
    match answer(taken.message).await {
        Ok(Answers(answers)) => {
            let answers = answers.map(move |answer| answer.map_err(|why| reader.status(why)));
            framed(answers, HeaderMap::new())
        }
        Err(failure) => failed_for(failure, reader),
    }
}
