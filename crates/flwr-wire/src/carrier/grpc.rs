//! gRPC: frames, metadata, time limits and statuses. The only room that knows `tonic::Status`.

use flwr_core::refusal::Failure;
use flwr_proto::MAX_MESSAGE_BYTES;
use futures::StreamExt;
use futures::stream::{self, Stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codec::{EncodeBody, EncodeBuf, Encoder};
use tonic::metadata::GRPC_CONTENT_TYPE;

use super::Reader;
use super::answer::{Answer, Answers, Encoded};

mod body;
mod status;
mod tokens;

pub(crate) use body::read;
pub use status::status;
pub(crate) use tokens::{account_proof, with_tokens};

use status::Form;

/// The response with this answer.
pub(crate) fn answered(answer: Answer) -> Response<Body> {
    let Answer { body, headers } = answer;
    framed(stream::iter([Ok(body)]), headers)
}

/// The response with these answers.
pub(crate) fn streamed(Answers(answers): Answers, reader: Reader) -> Response<Body> {
    let answers = answers.map(move |answer| answer.map_err(|why| Form::of(reader).status(why)));
    framed(answers, HeaderMap::new())
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
    Form::of(reader).status(failure).into_http()
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
