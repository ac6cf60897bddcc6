//! The content of a message, a RecordDict, and the objects that it travels as (flwr 1.20 to 1.22
//! wire): deflated into objects for peers that speak in objects, inflated for those that want it
//! in one piece.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use bytes::{Bytes, BytesMut};
use flwr_proto as proto;
use flwr_proto::record_dict::item::Value as Record;
use prost::Message as _;
use thiserror::Error;

use crate::object::{Head, Kind, Object, ObjectError, ObjectId, ObjectTree, TreeError};
use crate::size::Size;

mod json;
mod npy;
pub mod numbers;

/// Bytes of a RecordDict in one piece at most: what a message of gRPC holds, and room for the
/// metadata beside the RecordDict.
pub const MAX_INFLATED: usize = proto::MAX_MESSAGE_BYTES - (1 << 20);
/// Bytes of an array's chunk at most.
const CHUNK_BYTES: usize = 20 << 20;
/// Bytes that a record, an array or a chunk takes beside its content, in memory and on the wire.
const PART_BYTES: usize = 128;

/// A RecordDict as objects.
#[derive(Clone, Debug)]
pub struct Deflated {
    /// The RecordDict's tree.
    pub tree: ObjectTree,
    /// All objects of the tree, each once.
    pub objects: HashMap<ObjectId, Bytes>,
}

/// Why objects are no RecordDict.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InflateError {
    /// An object is not there.
    #[error("object {0} is missing")]
    Missing(ObjectId),
    /// An object is none.
    #[error("object {0}: {1}")]
    Object(ObjectId, ObjectError),
    /// An object of another kind than is needed.
    #[error("object {id} is of kind {}, which stands for nothing here", kind.name())]
    Kind {
        /// The object.
        id: ObjectId,
        /// What it is.
        kind: Kind,
    },
    /// The body of an object does not say what it should.
    #[error("the body of object {0} is malformed")]
    Body(ObjectId),
    /// The objects are named so often that the whole does not fit into one message.
    #[error("in one piece it is larger than {}, the most that a message holds", Size(MAX_INFLATED as u64))]
    TooLarge,
    /// The chunks of an array are more than its shape and dtype need.
    #[error(
        "the chunks of array {id} are larger than {}, the most that its shape and dtype need",
        Size(*needed as u64)
    )]
    Chunks {
        /// The array.
        id: ObjectId,
        /// Bytes that the array needs at most.
        needed: usize,
    },
}

/// Makes objects of a RecordDict.
///
/// # Errors
/// If the tree of the objects would be larger than trees may be.
pub fn deflate(dict: proto::RecordDict) -> Result<Deflated, TreeError> {
    // The root of the tree is the message.
    let mut left = ObjectTree::MAX_OBJECTS - 1;
    for objects in std::iter::once(1).chain(dict.items.iter().map(count)) {
        left = left.checked_sub(objects).ok_or(TreeError::TooLarge)?;
    }
    let mut objects = HashMap::new();
    let records: Vec<_> = dict
        .items
        .into_iter()
        .filter_map(|item| Some((item.key, deflate_record(item.value?, &mut objects))))
        .collect();
    let tree = named(Kind::RecordDict, &records, &mut objects);
    Ok(Deflated { tree, objects })
}

/// Objects that a record becomes, repeated ones counted each time.
fn count(item: &proto::record_dict::Item) -> usize {
    let array = |item: &proto::array_record::Item| {
        let data = item.value.as_ref().map_or(0, |array| array.data.len());
        1 + data.div_ceil(CHUNK_BYTES)
    };
    match &item.value {
        None => 0,
        Some(Record::ArrayRecord(record)) => 1 + record.items.iter().map(array).sum::<usize>(),
        Some(Record::MetricRecord(_) | Record::ConfigRecord(_)) => 1,
    }
}

type Objects = HashMap<ObjectId, Bytes>;

fn deflate_record(record: Record, objects: &mut Objects) -> ObjectTree {
    match record {
        Record::ArrayRecord(record) => {
            let items = record.items.into_iter();
            let arrays: Vec<_> = items
                .map(|item| {
                    let array = item.value.unwrap_or_default();
                    (item.key, deflate_array(&array, objects))
                })
                .collect();
            named(Kind::ArrayRecord, &arrays, objects)
        }
        Record::MetricRecord(record) => leaf(Kind::MetricRecord, &record.encode_to_vec(), objects),
        Record::ConfigRecord(record) => leaf(Kind::ConfigRecord, &record.encode_to_vec(), objects),
    }
}

fn deflate_array(array: &proto::Array, objects: &mut Objects) -> ObjectTree {
    let mut chunks: Vec<ObjectTree> = Vec::new();
    let mut order = Vec::new();
    for slice in array.data.chunks(CHUNK_BYTES) {
        let chunk = leaf(Kind::ArrayChunk, slice, objects);
        let known = chunks.iter().position(|known| known.id == chunk.id);
        order.push(known.unwrap_or(chunks.len()));
        if known.is_none() {
            chunks.push(chunk);
        }
    }
    let body = json::array(array, &order);
    parent(Kind::Array, body.as_bytes(), chunks, objects)
}

/// An object whose body names its children.
fn named(kind: Kind, children: &[(String, ObjectTree)], objects: &mut Objects) -> ObjectTree {
    let names = children.iter().map(|(name, tree)| (name.as_str(), tree.id));
    let body = json::names(names);
    let mut known = HashSet::new();
    let distinct = children.iter().filter(|(_, tree)| known.insert(tree.id));
    let distinct = distinct.map(|(_, tree)| tree.clone()).collect();
    parent(kind, body.as_bytes(), distinct, objects)
}

fn leaf(kind: Kind, body: &[u8], objects: &mut Objects) -> ObjectTree {
    parent(kind, body, Vec::new(), objects)
}

fn parent(kind: Kind, body: &[u8], children: Vec<ObjectTree>, objects: &mut Objects) -> ObjectTree {
    let ids: Vec<_> = children.iter().map(|child| child.id).collect();
    let Object { id, bytes } = Object::new(kind, &ids, body);
    objects.insert(id, bytes);
    ObjectTree { id, children }
}

/// Puts the RecordDict with this id together. An array's bytes are copied once.
///
/// An object may be named many times, and counts each time: no peer can make the whole larger than
/// [`MAX_INFLATED`]. Sizes are added up before anything is copied.
///
/// # Errors
/// If one of its objects is not there, or says something else, or if the whole is too large.
pub fn inflate(
    root: ObjectId,
    object: &impl Fn(&ObjectId) -> Option<Bytes>,
) -> Result<proto::RecordDict, InflateError> {
    let left = Cell::new(MAX_INFLATED);
    let source = Source { object, left };
    let records = source.names(root, Kind::RecordDict)?;
    let items = records.into_iter().map(|(key, id)| {
        source.take(key.len())?;
        let value = Some(source.record(id)?);
        Ok(proto::record_dict::Item { key, value })
    });
    Ok(proto::RecordDict {
        items: items.collect::<Result<_, _>>()?,
    })
}

struct Source<'a, F> {
    object: &'a F,
    /// Bytes that the rest may take.
    left: Cell<usize>,
}

/// An object, taken apart.
struct Parts {
    head: Head,
    body: Bytes,
}

impl<F: Fn(&ObjectId) -> Option<Bytes>> Source<'_, F> {
    /// Counts a part with so many bytes.
    fn take(&self, bytes: usize) -> Result<(), InflateError> {
        let left = self
            .left
            .get()
            .checked_sub(bytes.saturating_add(PART_BYTES));
        self.left.set(left.ok_or(InflateError::TooLarge)?);
        Ok(())
    }

    /// Reads an object, and counts the object.
    fn parts(&self, id: ObjectId) -> Result<Parts, InflateError> {
        let bytes = (self.object)(&id).ok_or(InflateError::Missing(id))?;
        self.take(bytes.len())?;
        let head = Head::read(&bytes).map_err(|error| InflateError::Object(id, error))?;
        // A head was read: there is a zero byte.
        let split = bytes.iter().position(|byte| *byte == 0).unwrap_or_default();
        Ok(Parts {
            head,
            body: bytes.slice(split + 1..),
        })
    }

    fn of_kind(&self, id: ObjectId, kind: Kind) -> Result<Parts, InflateError> {
        let parts = self.parts(id)?;
        if parts.head.kind == kind {
            return Ok(parts);
        }
        let kind = parts.head.kind;
        Err(InflateError::Kind { id, kind })
    }

    /// The children that an object's body names, in its order.
    fn names(&self, id: ObjectId, kind: Kind) -> Result<Vec<(String, ObjectId)>, InflateError> {
        let Parts { head, body } = self.of_kind(id, kind)?;
        let names = json::read_names(&body).ok_or(InflateError::Body(id))?;
        let children: HashSet<_> = head.children.iter().collect();
        let are_children = names.iter().all(|(_, child)| children.contains(child));
        if are_children {
            Ok(names)
        } else {
            Err(InflateError::Body(id))
        }
    }

    fn record(&self, id: ObjectId) -> Result<Record, InflateError> {
        let Parts { head, body } = self.parts(id)?;
        let malformed = |_| InflateError::Body(id);
        match head.kind {
            Kind::ArrayRecord => {
                let arrays = self.names(id, Kind::ArrayRecord)?.into_iter();
                let items = arrays.map(|(key, id)| {
                    self.take(key.len())?;
                    let value = Some(self.array(id)?);
                    Ok(proto::array_record::Item { key, value })
                });
                let items = items.collect::<Result<_, InflateError>>()?;
                Ok(Record::ArrayRecord(proto::ArrayRecord { items }))
            }
            Kind::MetricRecord => {
                let record = proto::MetricRecord::decode(body).map_err(malformed)?;
                Ok(Record::MetricRecord(record))
            }
            Kind::ConfigRecord => {
                let record = proto::ConfigRecord::decode(body).map_err(malformed)?;
                Ok(Record::ConfigRecord(record))
            }
            kind => Err(InflateError::Kind { id, kind }),
        }
    }

    fn array(&self, id: ObjectId) -> Result<proto::Array, InflateError> {
        let Parts { head, body } = self.of_kind(id, Kind::Array)?;
        if !body.starts_with(b"{") {
            // flwr 1.19 wire: all of it, without chunks.
            return proto::Array::decode(body).map_err(|_| InflateError::Body(id));
        }
        let array = json::read_array(&body).ok_or(InflateError::Body(id))?;
        let needed = npy::most_bytes(&array.head);
        let mut size = 0_usize;
        let chunks = array.chunks.iter().map(|index| {
            let chunk = usize::try_from(*index).ok();
            let chunk = chunk.and_then(|at| head.children.get(at));
            let chunk = chunk.ok_or(InflateError::Body(id))?;
            let body = self.of_kind(*chunk, Kind::ArrayChunk)?.body;
            size = size.saturating_add(body.len());
            match needed {
                Some(needed) if size > needed => Err(InflateError::Chunks { id, needed }),
                _ => Ok(body),
            }
        });
        let chunks: Vec<Bytes> = chunks.collect::<Result<_, InflateError>>()?;
        Ok(proto::Array {
            data: joined(chunks),
            ..array.head
        })
    }
}

fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() == 1 {
        return chunks.remove(0);
    }
    let mut data = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        data.extend_from_slice(&chunk);
    }
    data.freeze()
}

#[cfg(test)]
mod tests;
