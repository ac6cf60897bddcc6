//! The body of a call whose content comes after its message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use flwr_wire::carrier::grpc::{PREFIX_BYTES, prefix};
use flwr_wire::content::Content;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

/// The body, with the content after its only message.
pub(super) fn with(message: Body, content: Content) -> Body {
    Body::new(With {
        message,
        content: Some(content),
        then: None,
    })
}

struct With {
    message: Body,
    /// Until the message has come.
    content: Option<Content>,
    /// After that.
    then: Option<Bytes>,
}

impl http_body::Body for With {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(content) = self.then.take() {
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        let frame = ready!(Pin::new(&mut self.message).poll_frame(cx));
        let Some(content) = self.content.take() else {
            return Poll::Ready(frame);
        };
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        let message = frame.into_data().unwrap_or_default();
        let lengthened = lengthened(&message, &content);
        self.then = Some(content.into_bytes());
        Poll::Ready(Some(lengthened.map(Frame::data)))
    }
}

/// The message with the key of the content at its end, and a prefix that counts both. tonic gives a message
/// and its prefix in one frame.
fn lengthened(message: &Bytes, content: &Content) -> Result<Bytes, Status> {
    let key = content.key();
    let length = (message.len() + key.len() + content.length()).saturating_sub(PREFIX_BYTES);
    let (Some(fields), Ok(length)) = (message.get(PREFIX_BYTES..), u32::try_from(length)) else {
        return Err(Status::internal("the call is too long, or has no message"));
    };
    let mut whole = BytesMut::with_capacity(message.len() + key.len());
    whole.extend_from_slice(&prefix(length));
    whole.extend_from_slice(fields);
    whole.extend_from_slice(&key);
    Ok(whole.freeze())
}
