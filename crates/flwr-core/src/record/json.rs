//! The JSON in objects, byte for byte as Python's `json.dumps` writes it: the ids of objects
//! depend on it.

use std::fmt::Write as _;

use flwr_proto as proto;
use serde_json::{Map, Value};

use crate::object::ObjectId;

/// An array's body.
pub(super) struct ArrayBody {
    /// The array without its bytes.
    pub(super) head: proto::Array,
    /// Which child each slice of its bytes is.
    pub(super) chunks: Vec<usize>,
}

/// `{"name": "id", …}`
pub(super) fn names<'a>(children: impl Iterator<Item = (&'a str, ObjectId)>) -> String {
    let pairs: Vec<_> = children
        .map(|(name, id)| format!("{}: \"{id}\"", quoted(name)))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

/// `{"dtype": …, "shape": […], "stype": …, "arraychunk_ids": […]}`
pub(super) fn array(array: &proto::Array, chunks: &[usize]) -> String {
    format!(
        "{{\"dtype\": {}, \"shape\": {}, \"stype\": {}, \"arraychunk_ids\": {}}}",
        quoted(&array.dtype),
        list(&array.shape),
        quoted(&array.stype),
        list(chunks)
    )
}

fn list<T: ToString>(numbers: &[T]) -> String {
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    format!("[{}]", numbers.join(", "))
}

/// ASCII only, with UTF-16 escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            ' '..='~' => quoted.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    let _ = write!(quoted, "\\u{unit:04x}");
                }
            }
        }
    }
    quoted + "\""
}

pub(super) fn read_names(body: &[u8]) -> Option<Vec<(String, ObjectId)>> {
    let names: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let child = |(name, id): (String, Value)| Some((name, id.as_str()?.parse().ok()?));
    names.into_iter().map(child).collect()
}

pub(super) fn read_array(body: &[u8]) -> Option<ArrayBody> {
    let mut map: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let mut take = |key: &str| map.remove(key);
    let text = |value: Value| value.as_str().map(str::to_owned);
    let numbers = |value: Value| {
        let list = value.as_array()?.iter().map(Value::as_u64);
        list.collect::<Option<Vec<_>>>()
    };
    let shape = numbers(take("shape")?)?.into_iter();
    let chunks = numbers(take("arraychunk_ids")?)?.into_iter();
    Some(ArrayBody {
        head: proto::Array {
            dtype: text(take("dtype")?)?,
            shape: shape.map(|n| n.try_into().ok()).collect::<Option<_>>()?,
            stype: text(take("stype")?)?,
            data: Default::default(),
        },
        chunks: chunks.map(|n| n.try_into().ok()).collect::<Option<_>>()?,
    })
}
