//! How many parts a message has, counted before the message is decoded: two bytes on the wire may
//! become a structure of a hundred bytes in memory.

use bytes::Buf;
use flwr_core::port::Result;
use flwr_core::refusal::Refusal;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Levels that are counted. Decoding stops at the same depth.
const MAX_DEPTH: usize = 100;
/// Encoded numbers that count as one part: 16 bytes become 128 at most.
const NUMBERS_A_PART: usize = 16;

/// What is counted in a message: each of its fields, and what is in those that are named here.
#[derive(Debug)]
pub(crate) enum Layout {
    /// Fields whose content is counted too, by their numbers.
    Fields(&'static [(u32, &'static Self)]),
    /// A list of numbers.
    Numbers,
}

use Layout::{Fields, Numbers};

/// A message whose fields hold nothing that grows.
pub(crate) static FLAT: Layout = Fields(&[]);
static NUMBERS: Layout = Numbers;
static NUMBER_LIST: Layout = Fields(&[(1, &NUMBERS)]);
/// The value of a metric or of a configuration: lists have the numbers 21 to 26. Which of them holds
/// numbers depends on the release.
static VALUE: Layout = Fields(&[
    (21, &FLAT),
    (22, &NUMBER_LIST),
    (23, &NUMBER_LIST),
    (24, &FLAT),
    (25, &FLAT),
    (26, &FLAT),
]);
static NAMED_VALUE: Layout = Fields(&[(2, &VALUE)]);
static VALUES: Layout = Fields(&[(1, &NAMED_VALUE)]);
static ARRAY: Layout = Fields(&[(2, &NUMBERS)]);
static NAMED_ARRAY: Layout = Fields(&[(2, &ARRAY)]);
static ARRAYS: Layout = Fields(&[(1, &NAMED_ARRAY)]);
static RECORD: Layout = Fields(&[(2, &ARRAYS), (3, &VALUES), (4, &VALUES)]);
/// A RecordDict.
static RECORDS: Layout = Fields(&[(1, &RECORD)]);
/// A RecordDict of flwr 1.8 to 1.18: three maps. The values of an ArrayRecord stand in field 2, as
/// the array of a name does.
static MAPPED_ARRAYS: Layout = Fields(&[(2, &NAMED_ARRAY)]);
static MAPPED_VALUES: Layout = Fields(&[(2, &VALUES)]);
static RECORD_MAPS: Layout = Fields(&[
    (1, &MAPPED_ARRAYS),
    (2, &MAPPED_VALUES),
    (3, &MAPPED_VALUES),
]);
/// A tree of objects.
static TREE: Layout = Fields(&[(2, &TREE)]);
static MESSAGE: Layout = Fields(&[(2, &RECORDS)]);
static INLINE_MESSAGE: Layout = Fields(&[(2, &RECORD_MAPS)]);
static CONTEXT: Layout = Fields(&[(4, &RECORDS)]);
static INLINE_CONTEXT: Layout = Fields(&[(4, &RECORD_MAPS)]);
static TASK: Layout = Fields(&[(9, &RECORD_MAPS)]);
static TASK_MESSAGE: Layout = Fields(&[(4, &TASK)]);

/// PushMessages of a node, and of a ServerApp: messages and the trees of their objects.
pub(crate) static MESSAGES: Layout = Fields(&[(2, &MESSAGE), (3, &TREE), (4, &TREE)]);
/// The same in flwr 1.15 to 1.18: messages with their content. A node has them in field 2, a
/// ServerApp in field 1.
pub(crate) static INLINE_MESSAGES: Layout = Fields(&[(1, &INLINE_MESSAGE), (2, &INLINE_MESSAGE)]);
/// Tasks, in field 1 or 2.
pub(crate) static TASKS: Layout = Fields(&[(1, &TASK_MESSAGE), (2, &TASK_MESSAGE)]);
/// The outputs of an app.
pub(crate) static OUTPUTS: Layout = Fields(&[(3, &CONTEXT)]);
/// The output of a task.
pub(crate) static TASK_OUTPUT: Layout = Fields(&[(1, &CONTEXT)]);
/// The outputs of a ServerApp of flwr 1.15 to 1.18.
pub(crate) static INLINE_OUTPUTS: Layout = Fields(&[(2, &INLINE_CONTEXT)]);

impl Layout {
    /// Checks that a body has at most so many parts. What is malformed is for the decoder to tell.
    ///
    /// # Errors
    /// If there are more.
    pub(crate) fn check(&self, body: &[u8], most: usize) -> Result<()> {
        let counted = self.count(body, MAX_DEPTH, &mut { most });
        let text = || format!("it has more than {most} parts");
        Ok(counted.ok_or_else(|| Refusal::Unreadable(text()))?)
    }

    /// Takes the parts of a body from what is `left`. `None`: they are more.
    fn count(&self, body: &[u8], depth: usize, left: &mut usize) -> Option<()> {
        let Self::Fields(inner) = self else {
            let parts = body.len() / NUMBERS_A_PART;
            *left = left.checked_sub(parts)?;
            return Some(());
        };
        let Some(depth) = depth.checked_sub(1) else {
            return Some(());
        };
        let mut rest = body;
        while let Some((number, content)) = next_field(&mut rest) {
            *left = left.checked_sub(1)?;
            let inner = inner.iter().find(|(inner, _)| *inner == number);
            if let (Some((_, layout)), Some(content)) = (inner, content) {
                layout.count(content, depth, left)?;
            }
        }
        Some(())
    }
}

/// The next field, with its content where it has a length. `None`: the end, or malformed.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u32, Option<&'a [u8]>)> {
    if !rest.has_remaining() {
        return None;
    }
    let (number, kind) = decode_key(rest).ok()?;
    if kind != WireType::LengthDelimited {
        skip_field(kind, number, rest, DecodeContext::default()).ok()?;
        return Some((number, None));
    }
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((number, Some(content)))
}

#[cfg(test)]
mod tests {
    use flwr_proto as proto;
    use flwr_proto::{v1_08, v1_15};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    /// The field, in the fields around it, the innermost first.
    fn within(around: &[u8], content: &[u8]) -> Vec<u8> {
        let wrap = |content: Vec<u8>, number: &u8| field(*number, &content);
        around.iter().fold(content.to_vec(), wrap)
    }

    #[test]
    fn small_parts_are_counted_wherever_they_are() {
        for (layout, around, part) in [
            // Empty messages, trees, tasks, names of arrays, arrays.
            (&MESSAGES, &[][..], &[0x12, 0][..]),
            (&MESSAGES, &[2, 2, 3], &[0x12, 0]),
            (&MESSAGES, &[2, 1, 2, 2], &[0x0a, 0]),
            (&TASKS, &[], &[0x0a, 0]),
            (&TASKS, &[2, 1, 9, 4, 1], &[0x12, 0]),
            (&TASKS, &[2, 1, 9, 4, 2], &[0x0a, 0]),
            (&INLINE_MESSAGES, &[2, 1, 2, 2], &[0x12, 0]),
            (&OUTPUTS, &[2, 1, 4, 3], &[0x0a, 0]),
            (&TASK_OUTPUT, &[2, 1, 4, 1], &[0x0a, 0]),
            (&INLINE_OUTPUTS, &[2, 3, 4, 2], &[0x0a, 0]),
        ] {
            let body = within(around, &part.repeat(1_000));
            assert!(layout.check(&body, 990).is_err(), "{layout:?} {around:?}");
            layout.check(&body, 1_010).unwrap();
        }
    }

    #[test]
    fn numbers_are_counted_by_their_bytes() {
        let list = proto::ConfigRecordValue {
            value: Some(proto::config_record_value::Value::SintList(
                proto::SintList {
                    vals: vec![1; 16_000],
                },
            )),
        };
        assert!(VALUE.check(&list.encode_to_vec(), 990).is_err());
        VALUE.check(&list.encode_to_vec(), 1_010).unwrap();
    }

    #[test]
    fn the_bytes_of_a_model_are_no_parts() {
        let array = proto::Array {
            data: [0x0a, 0].repeat(100_000).into(),
            ..proto::Array::default()
        };
        let arrays = flwr_proto::shared::ArrayRecord {
            data_keys: vec!["w".to_owned()],
            data_values: vec![array],
        };
        let records = flwr_proto::shared::RecordDict {
            array_records: [("a".to_owned(), arrays)].into(),
            ..Default::default()
        };
        let inline = v1_15::PushMessagesRequest {
            node: None,
            messages_list: vec![v1_15::Message {
                content: Some(records.clone()),
                ..Default::default()
            }],
        };
        INLINE_MESSAGES.check(&inline.encode_to_vec(), 20).unwrap();
        let task = v1_08::TaskMessage {
            task: Some(v1_08::Task {
                recordset: Some(records.encode_to_vec().into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let push = v1_08::PushTaskResRequest11 {
            task_res_list: vec![task],
        };
        TASKS.check(&push.encode_to_vec(), 40).unwrap();
    }

    #[test]
    fn what_is_malformed_or_too_deep_is_left_to_the_decoder() {
        let deep = within(&[2; 300], &[]);
        MESSAGES.check(&deep, 1_000).unwrap();
        MESSAGES.check(b"\xff\xff\xff", 1).unwrap();
        MESSAGES.check(&[0x12, 0xff, 0x7f], 1).unwrap();
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for layout in [&MESSAGES, &INLINE_MESSAGES, &TASKS, &OUTPUTS, &TASK_OUTPUT, &INLINE_OUTPUTS] {
                let _ = layout.check(&body, 10);
            }
        }
    }
}
