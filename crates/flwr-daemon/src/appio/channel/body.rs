//! The body of a call, as the service reads it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flwr_shm::Sealed;
use http_body::{Frame, SizeHint};

use super::frame::Wire;

/// Bytes before the message of a gRPC call: that it is not compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// The message of a call. What is in shared memory is mapped when the service reads the message, and
/// so after the service has counted its bytes.
#[derive(Debug)]
pub(super) struct Incoming {
    parts: VecDeque<Part>,
    left: usize,
}

#[derive(Debug)]
enum Part {
    Here(Bytes),
    Shared(Sealed),
}

impl Incoming {
    /// A message that came in its packet.
    pub(super) fn here(wire: Wire, message: Bytes) -> Self {
        let length = message.len();
        Self::new(wire, Part::Here(message), length)
    }

    /// A message in shared memory.
    pub(super) fn shared(wire: Wire, message: Sealed) -> Self {
        let length = message.len();
        Self::new(wire, Part::Shared(message), length)
    }

    fn new(wire: Wire, message: Part, length: usize) -> Self {
        let mut parts = VecDeque::new();
        let mut left = length;
        if wire == Wire::Grpc {
            let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
            parts.push_back(Part::Here(Bytes::copy_from_slice(&[0, a, b, c, d])));
            left += PREFIX_BYTES;
        }
        if length > 0 {
            parts.push_back(message);
        }
        Self { parts, left }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let part = match self.parts.pop_front() {
            None => return Poll::Ready(None),
            Some(Part::Here(bytes)) => Ok(bytes),
            Some(Part::Shared(sealed)) => sealed.map(),
        };
        let length = part.as_ref().map_or(0, Bytes::len);
        self.left = self.left.saturating_sub(length);
        Poll::Ready(Some(part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

/// Takes the prefix off the only message of an answer over gRPC. An answer that is a failure has none.
pub(super) fn without_prefix(parts: &mut VecDeque<Bytes>) {
    let mut left = PREFIX_BYTES;
    while left > 0
        && let Some(first) = parts.front_mut()
    {
        let cut = left.min(first.len());
        let _ = first.split_to(cut);
        left -= cut;
        if first.is_empty() {
            parts.pop_front();
        }
    }
}
