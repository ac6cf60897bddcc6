//! Looks into a request without reading it: where two releases lay out the messages of one method
//! differently, the fields that are there say which layout it is.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

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
