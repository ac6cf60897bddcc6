//! Looks into a request without reading it: where two releases lay out the messages of one method
//! differently, the fields that are there say which layout it is. An answer in one of several layouts is
//! encoded before it is given.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};
use prost::{DecodeError, Message};

/// A message that is encoded already: one of several layouts that a method may answer in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encoded(pub(crate) Bytes);

impl Message for Encoded {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.0);
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    /// Nobody reads such a message: its layout is not known here.
    fn merge_field(
        &mut self,
        number: u32,
        kind: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(kind, number, buffer, context)
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Fields that are looked at. Messages of these layouts have a few, but for lists of a few thousand.
const MOST_FIELDS: usize = 1 << 20;

/// Whether there is a field with this number that holds a number.
pub(crate) fn has_number(body: &Bytes, field: u32) -> bool {
    kind_of(body, field) == Some(WireType::Varint)
}

/// Whether there is a field with this number that holds a text, bytes or a message.
pub(crate) fn has_bytes(body: &Bytes, field: u32) -> bool {
    kind_of(body, field) == Some(WireType::LengthDelimited)
}

fn kind_of(body: &Bytes, wanted: u32) -> Option<WireType> {
    let mut rest = body.clone();
    for _ in 0..MOST_FIELDS {
        if !rest.has_remaining() {
            break;
        }
        let (number, kind) = decode_key(&mut rest).ok()?;
        if number == wanted {
            return Some(kind);
        }
        skip_field(kind, number, &mut rest, DecodeContext::default()).ok()?;
    }
    None
}
