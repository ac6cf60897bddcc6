//! The bytes of a PushTaskRes request that its sender has computed the HMAC of. They are not those
//! that were sent: there the entries of maps stand in any order. Python's protobuf (4.25, upb) puts
//! them in order for the HMAC, each with key and value, and a key that goes on where another ends
//! before that one.
//!
//! Everything else is taken as it stands: Python writes fields in ascending order, without defaults.

use std::cmp::Ordering;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// How the entries of a map stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Longer first: "accuracy" before "acc" (upb).
    Upb,
    /// As in a dictionary (protobuf in pure Python).
    Plain,
}

/// A field of a message: its number, and its bytes from its key on; the content of a field that
/// has a length.
struct Field {
    number: u32,
    whole: Bytes,
    content: Option<Bytes>,
}

/// The field with the task in a TaskRes, and that with the records in a task.
const TASK: u32 = 4;
const RECORDS: u32 = 9;
/// The maps of a RecordSet: parameters, metrics, configs.
const PARAMETERS: u32 = 1;
const MAPS: [u32; 3] = [PARAMETERS, 2, 3];
/// The map of a metrics or configs record.
const DATA: u32 = 1;

/// The request in this order; `list` is the number of the field with the replies. `None` if it is
/// damaged.
pub(super) fn push_task_res(request: &Bytes, list: u32, order: Order) -> Option<Bytes> {
    rewrite(request, |field| {
        (field == list).then_some(|reply: &Bytes| {
            rewrite(reply, |field| {
                (field == TASK).then_some(|task: &Bytes| {
                    rewrite(task, |field| {
                        (field == RECORDS).then_some(|records: &Bytes| record_set(records, order))
                    })
                })
            })
        })
    })
}

fn record_set(records: &Bytes, order: Order) -> Option<Bytes> {
    let mut sorted = BytesMut::new();
    let fields = fields(records)?;
    for map in MAPS {
        let mut entries = Vec::new();
        for field in fields.iter().filter(|field| field.number == map) {
            let (key, value) = entry(field.content.as_ref()?)?;
            let value = if map == PARAMETERS {
                value
            } else {
                record(&value, order)?
            };
            entries.push((key, value));
        }
        put_entries(&mut sorted, map, entries, order);
    }
    for field in fields.iter().filter(|field| !MAPS.contains(&field.number)) {
        sorted.put_slice(&field.whole);
    }
    Some(sorted.freeze())
}

fn record(record: &Bytes, order: Order) -> Option<Bytes> {
    let mut entries = Vec::new();
    for field in fields(record)? {
        if field.number != DATA {
            return None;
        }
        entries.push(entry(field.content.as_ref()?)?);
    }
    let mut sorted = BytesMut::new();
    put_entries(&mut sorted, DATA, entries, order);
    Some(sorted.freeze())
}

/// Key and value of a map's entry: either may be left out, and is empty then.
fn entry(entry: &Bytes) -> Option<(Bytes, Bytes)> {
    let (mut key, mut value) = (Bytes::new(), Bytes::new());
    for field in fields(entry)? {
        match field.number {
            1 => key = field.content?,
            2 => value = field.content?,
            _ => return None,
        }
    }
    Some((key, value))
}

fn put_entries(bytes: &mut BytesMut, field: u32, mut entries: Vec<(Bytes, Bytes)>, order: Order) {
    entries.sort_by(|(a, _), (b, _)| order.compare(a, b));
    for (key, value) in entries {
        let mut entry = BytesMut::new();
        put_content(&mut entry, 1, &key);
        put_content(&mut entry, 2, &value);
        put_content(bytes, field, &entry);
    }
}

impl Order {
    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        let shared = a.len().min(b.len());
        match (self, a[..shared].cmp(&b[..shared])) {
            (Self::Upb, Ordering::Equal) => b.len().cmp(&a.len()),
            (Self::Plain, Ordering::Equal) => a.len().cmp(&b.len()),
            (_, different) => different,
        }
    }
}

/// The message, with the content of some fields rewritten.
fn rewrite<F>(message: &Bytes, rule: impl Fn(u32) -> Option<F>) -> Option<Bytes>
where
    F: Fn(&Bytes) -> Option<Bytes>,
{
    let mut written = BytesMut::new();
    for field in fields(message)? {
        match (rule(field.number), &field.content) {
            (Some(rule), Some(content)) => {
                put_content(&mut written, field.number, &rule(content)?);
            }
            _ => written.put_slice(&field.whole),
        }
    }
    Some(written.freeze())
}

fn put_content(bytes: &mut BytesMut, field: u32, content: &[u8]) {
    encode_key(field, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.put_slice(content);
}

fn fields(message: &Bytes) -> Option<Vec<Field>> {
    let mut rest = message.clone();
    let mut fields = Vec::new();
    while rest.has_remaining() {
        let start = rest.clone();
        let (number, kind) = decode_key(&mut rest).ok()?;
        let content = match kind {
            WireType::Varint => decode_varint(&mut rest).ok().map(|_| None)?,
            WireType::SixtyFourBit => skipped(&mut rest, 8)?,
            WireType::ThirtyTwoBit => skipped(&mut rest, 4)?,
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                (length <= rest.len()).then(|| Some(rest.split_to(length)))?
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        fields.push(Field {
            number,
            whole: start.slice(..start.len() - rest.len()),
            content,
        });
    }
    Some(fields)
}

#[expect(clippy::option_option, reason = "a field without content, or no field")]
fn skipped(rest: &mut Bytes, length: usize) -> Option<Option<Bytes>> {
    (length <= rest.len()).then(|| {
        rest.advance(length);
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A request as flwr 1.12.0 and 1.8.0 compute the HMAC of it (`SerializeToString` with
    /// `deterministic=True`), with the keys `accuracy` and `acc` in one record.
    const FROM_12: &str = "0a0a089582a6efc79e849111128402120131180722fc010a0a089582a6efc79e849111120210011900004060b813da413100000000001eac403a2433303765343061352d613961302d346663382d393064652d6536623434643138366666614205747261696e4aaa01122b0a136669747265732e6e756d5f6578616d706c657312140a120a0c6e756d5f6578616d706c65731202100e1a090a05656d70747912001a3b0a0e6669747265732e6d65747269637312290a150a086163637572616379120909000000000000d03f0a100a03616363120909000000000000e03f1a330a0d6669747265732e73746174757312220a0a0a04636f6465120210000a140a076d65737361676512092a0753756363657373";
    const UNTIL_11: &str = "0a8402120131180e22fc010a0a08aa84ccde8fbd88a222120210011900004060b813da413100000000001eac403a2433303765343061352d613961302d346663382d393064652d6536623434643138366666614205747261696e4aaa01122b0a136669747265732e6e756d5f6578616d706c657312140a120a0c6e756d5f6578616d706c65731202100e1a090a05656d70747912001a3b0a0e6669747265732e6d65747269637312290a150a086163637572616379120909000000000000d03f0a100a03616363120909000000000000e03f1a330a0d6669747265732e73746174757312220a0a0a04636f6465120210000a140a076d6573736167651209220753756363657373";

    fn bytes(hex: &str) -> Bytes {
        hex::decode(hex).unwrap().into()
    }

    /// The entries of `accuracy` and `acc`, the other way round.
    fn shuffled(request: &str) -> Bytes {
        let accuracy = "0a150a086163637572616379120909000000000000d03f";
        let acc = "0a100a03616363120909000000000000e03f";
        let swapped = request.replace(&format!("{accuracy}{acc}"), &format!("{acc}{accuracy}"));
        assert_ne!(swapped, request);
        bytes(&swapped)
    }

    #[test]
    fn entries_stand_as_in_flwr_whatever_their_order_was() {
        for (request, list) in [(FROM_12, 2), (UNTIL_11, 1)] {
            for sent in [bytes(request), shuffled(request)] {
                assert_eq!(push_task_res(&sent, list, Order::Upb), Some(bytes(request)));
                assert_eq!(
                    push_task_res(&sent, list, Order::Plain),
                    Some(shuffled(request))
                );
            }
        }
    }

    #[test]
    fn what_is_left_out_in_an_entry_is_written() {
        let set = bytes("1a090a05656d7074791200");
        assert_eq!(
            record_set(&bytes("1a070a05656d707479"), Order::Upb),
            Some(set)
        );
    }

    #[test]
    fn a_key_that_goes_on_stands_before_the_one_that_ends() {
        let mut keys = ["n", "acc", "", "neg", "accuracy", "a"];
        keys.sort_by(|a, b| Order::Upb.compare(a.as_bytes(), b.as_bytes()));
        assert_eq!(keys, ["accuracy", "acc", "a", "neg", "n", ""]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(request in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = push_task_res(&request.into(), 2, Order::Upb);
        }
    }
}
