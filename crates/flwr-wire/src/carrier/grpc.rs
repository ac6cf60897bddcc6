//! gRPC: frames, metadata, time limits and statuses. The only room that knows `tonic::Status`.

use std::time::Duration;

use bytes::{Buf, Bytes};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_security::peer::Peer;
use flwr_security::signature::SignatureHeaders;
use http::{HeaderMap, Request, Response};
use prost::Message;
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tower::service_fn;

use super::patience;
use crate::host::Head;

mod status;
mod streaming;
mod tokens;

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
    }
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

/// Reads the only message of a call, of as many bytes as peers allow, has it answered, and frames
/// the answer.
pub(crate) async fn unary<A, F>(request: Request<Body>, answer: A) -> Response<Body>
where
    A: FnOnce(Bytes) -> F + Send,
    F: Future<Output = Result<Answer, Failure>> + Send,
{
    unary_within(MAX_MESSAGE_BYTES, request, answer).await
}

/// The same, for messages of at most `limit` bytes.
pub(crate) async fn unary_within<A, F>(
    limit: usize,
    request: Request<Body>,
    answer: A,
) -> Response<Body>
where
    A: FnOnce(Bytes) -> F + Send,
    F: Future<Output = Result<Answer, Failure>> + Send,
{
    let mut answer = once(answer);
    let service = service_fn(move |request: tonic::Request<Bytes>| {
        let answered = answer(request.into_inner());
        async move {
            let Answer { body, headers } = answered?.await.map_err(status)?;
            let metadata = MetadataMap::from_headers(headers);
            Ok(tonic::Response::from_parts(
                metadata,
                body,
                Default::default(),
            ))
        }
    });
    Grpc::new(Frames)
        .apply_max_message_size_config(Some(limit), Some(MAX_MESSAGE_BYTES))
        .unary(service, request)
        .await
}

/// Answers one message. A call whose client sends one message has no second.
fn once<A, F>(answer: A) -> impl FnMut(Bytes) -> Result<F, Status>
where
    A: FnOnce(Bytes) -> F,
{
    let mut answer = Some(answer);
    move |message| match answer.take() {
        Some(answer) => Ok(answer(message)),
        None => Err(Status::internal("a second message in a call that has one")),
    }
}

/// The response to a call that fails before its body was read.
pub(crate) fn failed(failure: Failure) -> Response<Body> {
    status(failure).into_http()
}

/// The response to a call of a method that nobody serves.
pub(crate) fn unknown_method() -> Response<Body> {
    Status::unimplemented("").into_http()
}

/// Takes bodies as they are, and encodes answers of any type.
#[derive(Debug, Clone, Copy)]
struct Frames;

impl Codec for Frames {
    type Encode = Box<dyn Encoded>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Frames {
    type Item = Box<dyn Encoded>;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.as_ref().encode(buffer)
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
