//! Messages of a given weight, made of the objects that Flower makes them of: Message, RecordDict,
//! ArrayRecord, Array, ArrayChunk. All bytes are random, so that no two are the same.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, MessageId, Metadata, Parcel};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_daemon::clock::{Clock, SystemClock};
use rand::Rng;

/// Bytes of a chunk at most (flwr 1.22 wire).
const CHUNK: usize = 20 << 20;
/// Seconds that a message lives.
const TTL: f64 = 3600.0;

/// The content of a message, without the message: the RecordDict and all that it is made of.
#[derive(Clone)]
pub(crate) struct Content {
    tree: ObjectTree,
    objects: Vec<Object>,
}

/// A message, ready to be pushed.
pub(crate) struct Payload {
    pub(crate) parcel: Parcel,
    pub(crate) objects: HashMap<ObjectId, Bytes>,
}

impl Content {
    /// One array of so many random bytes.
    pub(crate) fn random(bytes: usize) -> Self {
        let mut objects = Vec::new();
        let mut trees = Vec::new();
        let mut left = bytes;
        while left > 0 {
            let mut chunk = vec![0; left.min(CHUNK)];
            rand::rng().fill_bytes(&mut chunk);
            left -= chunk.len();
            let chunk = Object::new(Kind::ArrayChunk, &[], &chunk);
            trees.push(ObjectTree::leaf(chunk.id));
            objects.push(chunk);
        }
        for kind in [Kind::Array, Kind::ArrayRecord] {
            trees = vec![parent(kind, trees, &mut objects)];
        }
        let tree = parent(Kind::RecordDict, trees, &mut objects);
        Self { tree, objects }
    }
}

fn parent(kind: Kind, children: Vec<ObjectTree>, objects: &mut Vec<Object>) -> ObjectTree {
    let ids: Vec<_> = children.iter().map(|child| child.id).collect();
    let object = Object::new(kind, &ids, b"{}");
    let id = object.id;
    objects.push(object);
    ObjectTree { id, children }
}

impl Payload {
    /// A message to a node.
    pub(crate) fn instruction(run: RunId, node: NodeId, content: Content) -> Self {
        let metadata = Metadata {
            run,
            id: ObjectId::of(&[]),
            src: NodeId::SUPERLINK,
            dst: node,
            reply_to: None,
            group: String::new(),
            ttl: TTL,
            message_type: "train".to_owned(),
            created_at: SystemClock.now(),
        };
        Self::new(metadata, content)
    }

    /// The reply to a message.
    pub(crate) fn reply(instruction: &Metadata, content: Content) -> Self {
        let created_at = SystemClock.now();
        let metadata = Metadata {
            run: instruction.run,
            id: ObjectId::of(&[]),
            src: instruction.dst,
            dst: NodeId::SUPERLINK,
            reply_to: Some(instruction.id),
            group: instruction.group.clone(),
            ttl: instruction.expires_at().since(created_at),
            message_type: instruction.message_type.clone(),
            created_at,
        };
        Self::new(metadata, content)
    }

    fn new(metadata: Metadata, content: Content) -> Self {
        let Content { tree, mut objects } = content;
        let message = Message {
            metadata,
            body: Body::Content,
        };
        let (parcel, object) = message.announced(Some(tree));
        objects.push(object);
        Self {
            parcel,
            objects: objects
                .into_iter()
                .map(|object| (object.id, object.bytes))
                .collect(),
        }
    }

    pub(crate) const fn id(&self) -> MessageId {
        self.parcel.message.metadata.id
    }
}

/// All objects of a tree, each once: pullers do not fetch what they have.
pub(crate) fn object_ids(tree: &ObjectTree) -> BTreeSet<ObjectId> {
    tree.post_order().iter().map(|part| part.id).collect()
}

/// The objects that a SuperLink wants, of those that there are.
pub(crate) fn wanted(
    ids: &[ObjectId],
    objects: &HashMap<ObjectId, Bytes>,
) -> Result<Vec<(ObjectId, Bytes)>> {
    let object = |id: &ObjectId| {
        let content = objects.get(id).context("an unknown object is wanted")?;
        Ok((*id, content.clone()))
    };
    ids.iter().map(object).collect()
}
