//! gRPC: frames, metadata, time limits and statuses. The only room that knows `tonic::Status`.

use std::time::Duration;

use bytes::Bytes;
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_security::peer::Peer;
use flwr_security::signature::SignatureHeaders;
use futures::stream::{self, Stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{EncodeBody, EncodeBuf, Encoder};
use tonic::metadata::GRPC_CONTENT_TYPE;

use super::patience;
use crate::head::{Head, Release};

mod body;
mod status;
mod streaming;
mod tokens;

pub(crate) use body::Intake;
pub(crate) use status::Reader;
pub use status::status;
pub use streaming::Answers;
pub(crate) use streaming::streaming;
pub(crate) use tokens::{account_proof, with_tokens};

/// An answer, not encoded yet.
pub struct Answer {
    body: Box<dyn Encoded>,
    headers: HeaderMap,
}

/// A message that goes straight into the buffer of its connection: a model is not copied once more.
trait Encoded: Send {
    fn encode(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status>;
}

impl<M: Message> Encoded for M {
    fn encode(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Message::encode(self, buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Answer {
    /// An answer without headers of its own.
    pub fn new(message: impl Message + 'static) -> Self {
        Self::with_headers(message, HeaderMap::new())
    }

    /// An answer with headers.
    pub fn with_headers(message: impl Message + 'static, headers: HeaderMap) -> Self {
        let body = Box::new(message);
        Self { body, headers }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Reads a message of this type.
///
/// # Errors
/// If the bytes are no such message.
pub fn decode<M: Message + Default>(body: Bytes) -> Result<M, Failure> {
    M::decode(body).map_err(|error| Refusal::Unreadable(error.to_string()).into())
}

/// What the request says before its body.
pub(crate) fn head<B>(request: &Request<B>) -> Head {
    Head {
        patience: patience::of(request.headers()),
        peer: request.extensions().get::<Peer>().cloned(),
        release: release(request.headers()),
    }
}

/// The caller's release of Flower (flwr 1.30 and later).
fn release(headers: &HeaderMap) -> Option<Release> {
    let version = headers.get("flwr-package-version")?;
    Release::read(version.to_str().ok()?)
}

/// How long a call with these headers may be held, for the answer to be in time.
#[must_use]
pub fn patience(headers: &HeaderMap) -> Duration {
    patience::of(headers)
}

/// The signature of the request.
pub(crate) fn signature(headers: &HeaderMap) -> Result<SignatureHeaders, Failure> {
    Ok(SignatureHeaders::read(headers)?)
}

/// Reads the only message of a call, has it answered, and frames the answer. The request counts as
/// under way until then.
pub(crate) async fn unary<A, F>(
    intake: Intake<'_>,
    request: Request<Body>,
    answer: A,
) -> Response<Body>
where
    A: FnOnce(Bytes) -> F + Send,
    F: Future<Output = Result<Answer, Failure>> + Send,
{
    let reader = intake.reader;
    let taken = match intake.read(request.into_body()).await {
        Ok(taken) => taken,
        Err(status) => return status.into_http(),
    };
    let answered = answer(taken.message).await;
    drop(taken.room);
    match answered {
        Ok(Answer { body, headers }) => framed(stream::iter([Ok(body)]), headers),
        Err(failure) => failed_for(failure, reader),
    }
}

/// The response with these messages.
fn framed<S>(messages: S, headers: HeaderMap) -> Response<Body>
where
    S: Stream<Item = Result<Box<dyn Encoded>, Status>> + Send + 'static,
{
    let limit = Some(MAX_MESSAGE_BYTES);
    let body = EncodeBody::new_server(Frames, messages, None, Default::default(), limit);
    let mut response = Response::new(Body::new(body));
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

/// The response to a call that fails before its body was read.
pub(crate) fn failed(failure: Failure) -> Response<Body> {
    status(failure).into_http()
}

/// The same, as this reader knows refusals.
pub(crate) fn failed_for(failure: Failure, reader: Reader) -> Response<Body> {
    reader.status(failure).into_http()
}

/// The response to a call of a method that nobody serves.
pub(crate) fn unknown_method() -> Response<Body> {
    Status::unimplemented("").into_http()
}

/// Encodes answers of any type.
#[derive(Debug, Clone, Copy)]
struct Frames;

impl Encoder for Frames {
    type Item = Box<dyn Encoded>;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.as_ref().encode(buffer)
    }
}
