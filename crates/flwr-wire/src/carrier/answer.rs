//! Answers, before a carrier frames them.

use std::any::Any;

use bytes::Bytes;
use flwr_core::refusal::{Failure, Refusal};
use futures::StreamExt;
use futures::stream::{BoxStream, Stream};
use http::HeaderMap;
use prost::Message;
use tonic::Status;
use tonic::codec::EncodeBuf;

use crate::content::Content;

/// An answer, not encoded yet.
pub struct Answer {
    body: Box<dyn Encoded>,
    content: Option<Content>,
    pub(super) headers: HeaderMap,
}

/// A message that is encoded by its carrier.
pub(super) trait Encoded: Send {
    /// Straight into the buffer of a connection: a model is not copied once more.
    fn encode(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status>;

    /// By itself, behind so many bytes that the carrier fills.
    fn bytes(&self, before: usize) -> Vec<u8>;
}

impl<M: Message> Encoded for M {
    fn encode(&self, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Message::encode(self, buffer).map_err(|error| Status::internal(error.to_string()))
    }

    fn bytes(&self, before: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(before + self.encoded_len());
        bytes.resize(before, 0);
        self.encode_raw(&mut bytes);
        bytes
    }
}

impl Answer {
    /// An answer without headers of its own.
    pub fn new(message: impl Message + Any) -> Self {
        Self::with_headers(message, HeaderMap::new())
    }

    /// An answer with headers.
    pub fn with_headers(mut message: impl Message + Any, headers: HeaderMap) -> Self {
        let content = Content::take(&mut message);
        Self {
            body: Box::new(message),
            content,
            headers,
        }
    }

    /// The encoded answer, behind so many bytes that the carrier fills: in two parts where it has a large
    /// content, the second of which is empty otherwise.
    pub(super) fn encoded(self, before: usize) -> (Vec<u8>, Bytes) {
        let mut head = self.body.bytes(before);
        let Some(content) = self.content else {
            return (head, Bytes::new());
        };
        head.extend_from_slice(&content.key());
        (head, content.into_bytes())
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// The answers of one call, not encoded yet.
pub struct Answers(pub(super) BoxStream<'static, Result<Box<dyn Encoded>, Failure>>);

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

/// Reads a message of this type.
///
/// # Errors
/// If the bytes are no such message.
pub fn decode<M: Message + Default>(body: Bytes) -> Result<M, Failure> {
    M::decode(body).map_err(|error| Refusal::Unreadable(error.to_string()).into())
}
