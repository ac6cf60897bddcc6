//! Messages of a stream: each begins with its length, in four bytes. They are cut into pieces anywhere.

use bytes::{Buf, Bytes, BytesMut};
use flwr_core::port::Result;
use flwr_core::refusal::{Silence, Unanswered};
use flwr_proto::MAX_MESSAGE_BYTES;
use flwr_wire::carrier::http1::LENGTH_BYTES;

/// What has come and is not read yet.
#[derive(Debug, Default)]
pub(super) struct Frames(BytesMut);

impl Frames {
    /// More bytes have come.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next whole message. `None`: more bytes must come first.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = self.0.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE_BYTES {
            let text = format!("a message of {length} bytes: {MAX_MESSAGE_BYTES} are allowed");
            return Err(Unanswered::new(Silence::Broken, text).into());
        }
        if self.0.len() - LENGTH_BYTES < length {
            return Ok(None);
        }
        self.0.advance(LENGTH_BYTES);
        Ok(Some(self.0.split_to(length).freeze()))
    }

    /// The stream has ended. A message that has not come whole is an error: its line broke.
    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let text = "the answer ended in the middle of a message";
        Err(Unanswered::new(Silence::Connection, text).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let whole = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x02de";
        for size in 1..=whole.len() {
            let (mut frames, mut read) = (Frames::default(), Vec::new());
            for piece in whole.chunks(size) {
                frames.add(piece);
                while let Some(message) = frames.next().unwrap() {
                    read.push(message);
                }
            }
            assert_eq!(read, ["abc", "", "de"], "pieces of {size} bytes");
            frames.end().unwrap();
        }
    }

    #[test]
    fn a_cut_or_oversized_message_is_an_error() {
        let mut frames = Frames::default();
        frames.add(b"\0\0\0\x03ab");
        assert_eq!(frames.next().unwrap(), None);
        let failure = frames.end().unwrap_err();
        assert_eq!(failure.silence(), Some(Silence::Connection));
        let mut frames = Frames::default();
        frames.add(b"\xff\xff\xff\xff");
        assert_eq!(frames.next().unwrap_err().silence(), Some(Silence::Broken));
    }
}
