//! gRPC: frames, metadata, time limits and statuses. The only room that knows `tonic::Status`.

use std::convert::Infallible;
use std::mem;

use bytes::Bytes;
use flwr_core::refusal::Failure;
use flwr_proto::MAX_MESSAGE_BYTES;
use futures::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
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
pub use body::{PREFIX_BYTES, prefix};
pub use status::status;
pub(crate) use tokens::{account_proof, with_tokens};

use status::Form;

/// The response with this answer.
pub(crate) fn answered(mut answer: Answer) -> Response<Body> {
    let headers = mem::take(&mut answer.headers);
    let (mut head, content) = answer.encoded(PREFIX_BYTES);
    let length = head.len() - PREFIX_BYTES + content.len();
    let Some(length) = u32::try_from(length).ok().filter(is_carried) else {
        let text = format!("the answer has {length} bytes, and gRPC carries {MAX_MESSAGE_BYTES}");
        return Status::out_of_range(text).into_http();
    };
    head[..PREFIX_BYTES].copy_from_slice(&prefix(length));
    let parts = [head.into(), content].into_iter();
    let parts = parts.filter(|part: &Bytes| !part.is_empty());
    let frames = parts
        .map(Frame::data)
        .chain([Frame::trailers(well_ended())])
        .map(Ok::<_, Infallible>);
    with_headers(Body::new(StreamBody::new(stream::iter(frames))), headers)
}

const fn is_carried(length: &u32) -> bool {
    *length as usize <= MAX_MESSAGE_BYTES
}

/// What follows the answers of a call that went well.
fn well_ended() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// The response with these answers.
pub(crate) fn streamed(Answers(answers): Answers, reader: Reader) -> Response<Body> {
    let answers = answers.map(move |answer| answer.map_err(|why| Form::of(reader).status(why)));
    let limit = Some(MAX_MESSAGE_BYTES);
    let body = EncodeBody::new_server(Frames, answers, None, Default::default(), limit);
    with_headers(Body::new(body), HeaderMap::new())
}

/// The response with this body.
fn with_headers(body: Body, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body);
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
