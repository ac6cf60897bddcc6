//! Calls with many answers.

use bytes::Bytes;
use flwr_core::refusal::Failure;
use futures::StreamExt;
use futures::stream::{BoxStream, Stream};
use http::{Request, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::server::Grpc;
use tower::service_fn;

use super::{Encoded, Frames, once, status};

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

/// Reads the only message of a call, of at most `limit` bytes, and frames the answers to it.
pub(crate) async fn streaming<A, F>(
    limit: usize,
    request: Request<Body>,
    answer: A,
) -> Response<Body>
where
    A: FnOnce(Bytes) -> F + Send,
    F: Future<Output = Result<Answers, Failure>> + Send,
{
    let mut answer = once(answer);
    let service = service_fn(move |request: tonic::Request<Bytes>| {
        let answered = answer(request.into_inner());
        async move {
            let Answers(answers) = answered?.await.map_err(status)?;
            Ok(tonic::Response::new(answers))
        }
    });
    Grpc::new(Frames)
        .apply_max_message_size_config(Some(limit), None)
        .server_streaming(service, request)
        .await
}
