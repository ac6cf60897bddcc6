//! Content-addressed objects: how a payload is cut into pieces that are named by their hash.
//!
//! An object is `head 0x00 body`, where the head is the kind of object, the ids of its children
//! separated by commas, and the length of the body in decimal, with one space between each. An
//! object without children has two spaces in a row. Its id is the SHA-256 of the whole
//! (flwr 1.20 to 1.22 wire).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use thiserror::Error;

mod tree;

pub use tree::{ObjectTree, TreeError};

/// The id of an object: the SHA-256 of its bytes. Shown as 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId([u8; 32]);

/// The kinds of object that the wire knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A list of numbers and their shape; its bytes are in its chunks.
    Array,
    /// At most 20 MiB of an array's serialized bytes.
    ArrayChunk,
    /// Arrays by name.
    ArrayRecord,
    /// Configuration values by name.
    ConfigRecord,
    /// Metadata, and a RecordDict or an error.
    Message,
    /// Metrics by name.
    MetricRecord,
    /// Records by name.
    RecordDict,
}

/// An object, complete: its bytes and the id they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// SHA-256 of `bytes`.
    pub id: ObjectId,
    /// Head, zero byte and body.
    pub bytes: Bytes,
}

/// An object, as its receiver gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// Nobody announced it in this run, or it is gone.
    Unknown,
    /// It was announced and did not arrive yet.
    Awaited,
    /// Its bytes.
    There(Bytes),
}

/// What an object says of itself before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// What it is made of, each once, in the order of first use.
    pub children: Vec<ObjectId>,
}

/// Not an object id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an object id: 64 lowercase hex digits are expected")]
pub struct InvalidObjectId(String);

/// Why some bytes are not an object. The texts are those that flwr 1.22 peers know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectError {
    /// No zero byte.
    #[error("Unexpected format for object content. Head and body could not be split.")]
    NoHead,
    /// The head is not three words.
    #[error("Unexpected format for object head.")]
    MalformedHead,
    /// A child that is not an id.
    #[error("Detected invalid object ID ({0}) in children.")]
    InvalidChild(String),
    /// A kind that the wire does not know.
    #[error("Object of type {0} is not supported.")]
    UnknownKind(String),
    /// More or fewer bytes than the head says.
    #[error("Object content length expected {expected} bytes but got {found} bytes.")]
    WrongLength {
        /// Bytes of body as the head has it, in the head's words.
        expected: String,
        /// Bytes of body that are there.
        found: usize,
    },
}

/// Longest part of a peer's text that is repeated in an error.
const QUOTED_CHARS: usize = 80;

impl ObjectId {
    /// The id of these bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The id with these 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 32];
        let lowercase = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut id) {
            Ok(()) if lowercase => Ok(Self(id)),
            _ => Err(InvalidObjectId(quoted(text))),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Array,
        Self::ArrayChunk,
        Self::ArrayRecord,
        Self::ConfigRecord,
        Self::Message,
        Self::MetricRecord,
        Self::RecordDict,
    ];

    /// The kind's name in an object's head.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Array => "Array",
            Self::ArrayChunk => "ArrayChunk",
            Self::ArrayRecord => "ArrayRecord",
            Self::ConfigRecord => "ConfigRecord",
            Self::Message => "Message",
            Self::MetricRecord => "MetricRecord",
            Self::RecordDict => "RecordDict",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Object {
    /// Makes the object of this kind with these children and this body.
    #[must_use]
    pub fn new(kind: Kind, children: &[ObjectId], body: &[u8]) -> Self {
        let children: Vec<String> = children.iter().map(ToString::to_string).collect();
        let head = format!("{} {} {}\0", kind.name(), children.join(","), body.len());
        let bytes = Bytes::from([head.as_bytes(), body].concat());
        Self {
            id: ObjectId::of(&bytes),
            bytes,
        }
    }
}

impl Head {
    /// Reads the head of an object, and checks that the body is as long as it says.
    ///
    /// # Errors
    /// If the bytes are not an object; the children need not exist.
    pub fn read(content: &[u8]) -> Result<Self, ObjectError> {
        let split = content
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(ObjectError::NoHead)?;
        let head = str::from_utf8(&content[..split]).map_err(|_| ObjectError::MalformedHead)?;
        let mut words = head.split(' ');
        let words = [words.next(), words.next(), words.next(), words.next()];
        let [Some(kind), Some(children), Some(length), None] = words else {
            return Err(ObjectError::MalformedHead);
        };
        let children = read_children(children)?;
        let kind = Kind::from_name(kind).ok_or_else(|| ObjectError::UnknownKind(quoted(kind)))?;
        let found = content.len() - split - 1;
        if length.parse() != Ok(found) {
            return Err(ObjectError::WrongLength {
                expected: quoted(length),
                found,
            });
        }
        Ok(Self { kind, children })
    }
}

fn read_children(list: &str) -> Result<Vec<ObjectId>, ObjectError> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|id| {
            id.parse()
                .map_err(|_| ObjectError::InvalidChild(quoted(id)))
        })
        .collect()
}

fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by flwr 1.20.0, 1.21.0 and 1.22.0 alike: `ConfigRecord({})` and
    /// `ConfigRecord({"server-round": 1})`, deflated.
    const CONFIG_RECORDS: [(&str, &str); 2] = [
        (
            "436f6e6669675265636f726420203000",
            "92e56e10c672eb0057081182a173e1a861c62c6ce2efe9ce5c9a298f69e96d85",
        ),
        (
            "436f6e6669675265636f726420203230000a120a0c7365727665722d726f756e6412021002",
            "534ed7c522c7960a100d68971eb2984da96ba0725bb72c758b7dcda398047232",
        ),
    ];

    #[test]
    fn objects_made_by_flwr_are_read_and_have_the_same_id() {
        for (content, id) in CONFIG_RECORDS {
            let content = hex::decode(content).unwrap();
            assert_eq!(ObjectId::of(&content).to_string(), id);
            let head = Head::read(&content).unwrap();
            assert_eq!(
                head,
                Head {
                    kind: Kind::ConfigRecord,
                    children: vec![]
                }
            );
            let body = &content[content.iter().position(|byte| *byte == 0).unwrap() + 1..];
            assert_eq!(Object::new(Kind::ConfigRecord, &[], body).bytes, content);
        }
    }

    #[test]
    fn children_are_listed_with_commas() {
        let chunk: ObjectId = "0bd55c552a4d962cf4398ecd7b71d1a05377410b9b904603b85f1760b8928530"
            .parse()
            .unwrap();
        let body = br#"{"dtype": "float32", "shape": [2, 2], "stype": "numpy.ndarray", "arraychunk_ids": [0]}"#;
        let array = Object::new(Kind::Array, &[chunk], body);
        // flwr 1.22: Array of numpy.float32 [[1, 2], [3, 4]].
        assert_eq!(
            array.id.to_string(),
            "9a6df3451aa0b992591a9034c8bd92ed282fdd133b06f879662523e78df61e38"
        );
        assert_eq!(Head::read(&array.bytes).unwrap().children, [chunk]);
    }

    #[test]
    fn what_is_wrong_with_bytes_that_are_no_object_is_told() {
        let cases: [(&[u8], &str); 6] = [
            (
                b"ConfigRecord  0",
                "Unexpected format for object content. Head and body could not be split.",
            ),
            (b"ConfigRecord 0\0", "Unexpected format for object head."),
            (b"\xff  0\0", "Unexpected format for object head."),
            (
                b"ConfigRecord abc 0\0",
                "Detected invalid object ID (abc) in children.",
            ),
            (b"Record  0\0", "Object of type Record is not supported."),
            (
                b"ConfigRecord  5\0abc",
                "Object content length expected 5 bytes but got 3 bytes.",
            ),
        ];
        for (content, text) in cases {
            assert_eq!(Head::read(content).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn ids_are_64_lowercase_hex_digits_and_nothing_else() {
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::read(&content);
        }

        #[test]
        fn what_is_made_is_read_back(body in proptest::collection::vec(any::<u8>(), 0..50), children in 0_usize..5) {
            let children: Vec<_> = (0..children).map(|n| ObjectId::of(&[n as u8])).collect();
            let object = Object::new(Kind::RecordDict, &children, &body);
            let head = Head::read(&object.bytes).unwrap();
            prop_assert_eq!(head, Head { kind: Kind::RecordDict, children });
        }
    }
}
