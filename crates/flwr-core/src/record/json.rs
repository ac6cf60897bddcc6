//! The JSON in objects, byte for byte as Python's `json.dumps` writes it: the ids of objects
//! depend on it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write as _};

use flwr_proto as proto;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::object::ObjectId;

/// An array's body.
pub(super) struct ArrayBody {
    /// The array without its bytes.
    pub(super) head: proto::Array,
    /// Which child each slice of its bytes is.
    pub(super) chunks: Vec<u32>,
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

/// The names in the body of a record, each once, in the order of the body.
pub(super) fn read_names(body: &[u8]) -> Option<Vec<(String, ObjectId)>> {
    let Names(names) = serde_json::from_slice(body).ok()?;
    let mut known = HashSet::new();
    let mut each = names.iter().map(|(name, _)| name.as_str());
    each.all(|name| known.insert(name)).then_some(names)
}

/// Reads the body of an array.
pub(super) fn read_array(body: &[u8]) -> Option<ArrayBody> {
    let ArrayJson {
        dtype,
        shape,
        stype,
        arraychunk_ids,
    } = serde_json::from_slice(body).ok()?;
    Some(ArrayBody {
        head: proto::Array {
            dtype,
            shape,
            stype,
            data: Default::default(),
        },
        chunks: arraychunk_ids,
    })
}

/// The fields of an array's body. They are read straight into numbers: a list of values of any type
/// would take 16 times the bytes of the peer.
#[derive(Deserialize)]
struct ArrayJson {
    dtype: String,
    #[serde(deserialize_with = "not_negative")]
    shape: Vec<i32>,
    stype: String,
    arraychunk_ids: Vec<u32>,
}

fn not_negative<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<i32>, D::Error> {
    let shape = Vec::<i32>::deserialize(list)?;
    match shape.iter().all(|length| *length >= 0) {
        true => Ok(shape),
        false => Err(D::Error::custom("a length is negative")),
    }
}

/// Pairs of a name and an id.
struct Names(Vec<(String, ObjectId)>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(NamesVisitor).map(Self)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Vec<(String, ObjectId)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names and the ids of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((name, id)) = map.next_entry::<String, Cow<'de, str>>()? {
            names.push((name, id.parse().map_err(A::Error::custom)?));
        }
        Ok(names)
    }
}
