//! Looks into a request without reading it: where two releases lay out the messages of one method
//! differently, the fields that are there say which layout it is.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

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
    while rest.has_remaining() {
        let (number, kind) = decode_key(&mut rest).ok()?;
        if number == wanted {
            return Some(kind);
        }
        skip_field(kind, number, &mut rest, DecodeContext::default()).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use flwr_proto::older::inline as wire;
    use flwr_proto::{PullAppMessagesRequest, PushAppMessagesRequest};
    use prost::Message;

    use super::*;

    fn bytes(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn the_place_of_the_run_tells_the_layout() {
        let run_id = 7;
        let newer = bytes(&PullAppMessagesRequest {
            token: "t".to_owned(),
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        let older = bytes(&wire::PullResMessagesRequest {
            message_ids: vec!["a".to_owned()],
            run_id,
        });
        assert!(!has_number(&newer, 2) && has_number(&older, 2));
        let newer = bytes(&PushAppMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
            ..PushAppMessagesRequest::default()
        });
        let older = bytes(&wire::PushInsMessagesRequest {
            messages_list: vec![Default::default()],
            run_id,
        });
        assert!(!has_number(&newer, 2) && has_number(&older, 2));
        assert!(!has_number(&Bytes::from_static(b"\xff\xff"), 2));
    }
}
