//! Contents of objects. A content is all but a few bytes of its message, so that a large content travels
//! beside its message: nobody copies the content into the encoded message or out of it. On the wire the
//! content is the last field of the message.

use std::any::{Any, TypeId};

use bytes::{Bytes, BytesMut};
use flwr_proto as proto;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// Smaller contents are encoded as other fields are.
pub const LEAST_BYTES: usize = 64 << 10;

/// Bytes before a content at most: those of a message's other fields. Contents that begin later are read
/// as other fields are.
pub const MOST_BEFORE: usize = 1 << 12;

/// The content of a message, taken out of the message.
#[derive(Debug, Clone)]
pub struct Content {
    field: u32,
    bytes: Bytes,
}

/// Where the content of an encoded message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Bytes of the fields before the content.
    pub before: usize,
    /// Bytes of the content's key and length.
    pub key: usize,
    /// Bytes of the content.
    pub length: usize,
    /// Bytes of the fields after the content.
    pub after: usize,
}

/// What the beginning of an encoded message says of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The content is there.
    At(Place),
    /// More bytes must come first.
    Unknown,
    /// The message has no large content, or has it in another place than its first bytes tell.
    Nothing,
}

impl Content {
    /// Takes a large content out of its message. Smaller contents stay, and other messages have none.
    pub fn take<M: Any>(message: &mut M) -> Option<Self> {
        let field = number_in::<M>()?;
        let content = content_of(message)?;
        if content.len() < LEAST_BYTES {
            return None;
        }
        let bytes = std::mem::take(content);
        Some(Self { field, bytes })
    }

    /// Puts a content into the message that it is of.
    pub fn put<M: Any>(message: &mut M, bytes: Bytes) {
        if let Some(content) = content_of(message) {
            *content = bytes;
        }
    }

    /// Whether messages of this type have a content.
    #[must_use]
    pub fn is_in<M: Any>() -> bool {
        number_in::<M>().is_some()
    }

    /// The key and the length of the content, which come before its bytes.
    #[must_use]
    pub fn key(&self) -> Bytes {
        let mut key = BytesMut::new();
        encode_key(self.field, WireType::LengthDelimited, &mut key);
        encode_varint(self.bytes.len() as u64, &mut key);
        key.freeze()
    }

    /// Bytes of the content, of which there is one at least.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The content.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// Looks for the content in the beginning of a message of type `M` that has `length` bytes.
#[must_use]
pub fn find<M: Any>(beginning: &[u8], length: usize) -> Found {
    let Some(field) = number_in::<M>() else {
        return Found::Nothing;
    };
    if length < LEAST_BYTES {
        return Found::Nothing;
    }
    let found = walk(field, beginning, length);
    // A key or a number may be cut off.
    let may_go_on = beginning.len() < MOST_BEFORE.min(length);
    found.unwrap_or(if may_go_on {
        Found::Unknown
    } else {
        Found::Nothing
    })
}

/// Goes from field to field. `None`: the beginning ends before that tells.
fn walk(field: u32, beginning: &[u8], length: usize) -> Option<Found> {
    let mut rest = beginning;
    loop {
        let before = beginning.len() - rest.len();
        let (number, kind) = decode_key(&mut rest).ok()?;
        match kind {
            WireType::Varint => drop(decode_varint(&mut rest).ok()?),
            WireType::LengthDelimited => {
                let size = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let begin = beginning.len() - rest.len();
                if size >= LEAST_BYTES {
                    let left = length.checked_sub(begin);
                    let after = left.and_then(|left| left.checked_sub(size));
                    return Some(match after {
                        Some(after) if number == field => Found::At(Place {
                            before,
                            key: begin - before,
                            length: size,
                            after,
                        }),
                        _ => Found::Nothing,
                    });
                }
                rest = rest.get(size..)?;
            }
            _ => return Some(Found::Nothing),
        }
    }
}

/// The number of the field for the content in messages of this type (flwr 1.20 wire).
fn number_in<M: Any>() -> Option<u32> {
    let message = TypeId::of::<M>();
    if message == TypeId::of::<proto::PullObjectResponse>() {
        Some(3)
    } else if message == TypeId::of::<proto::PushObjectRequest>() {
        Some(4)
    } else {
        None
    }
}

fn content_of<M: Any>(message: &mut M) -> Option<&mut Bytes> {
    let message: &mut dyn Any = message;
    if message.is::<proto::PullObjectResponse>() {
        let pulled = message.downcast_mut::<proto::PullObjectResponse>()?;
        return Some(&mut pulled.object_content);
    }
    let pushed = message.downcast_mut::<proto::PushObjectRequest>()?;
    Some(&mut pushed.object_content)
}

#[cfg(test)]
mod tests;
