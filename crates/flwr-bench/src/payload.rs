//! Messages of a given weight, made of the objects that Flower makes them of: Message, RecordDict,
//! ArrayRecord, Array, ArrayChunk. All bytes are random, so that no two are the same.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_daemon::clock::{Clock, SystemClock};
use flwr_proto as proto;
use rand::RngCore;

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
    pub(crate) message: proto::Message,
    pub(crate) tree: proto::ObjectTree,
    objects: HashMap<ObjectId, Bytes>,
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
    pub(crate) fn instruction(run: u64, node: u64, content: Content) -> Self {
        let metadata = Metadata {
            run: RunId(run),
            id: ObjectId::of(&[]),
            src: NodeId::SUPERLINK,
            dst: NodeId(node),
            reply_to: None,
            group: String::new(),
            ttl: TTL,
            message_type: "train".to_owned(),
            created_at: SystemClock.now(),
        };
        Self::new(metadata, content)
    }

    /// The reply to a message.
    pub(crate) fn reply(instruction: &proto::Metadata, content: Content) -> Result<Self> {
        let created_at = SystemClock.now();
        let expires = instruction.created_at + instruction.ttl;
        let metadata = Metadata {
            run: RunId(instruction.run_id),
            id: ObjectId::of(&[]),
            src: NodeId(instruction.dst_node_id),
            dst: NodeId::SUPERLINK,
            reply_to: Some(instruction.message_id.parse()?),
            group: instruction.group_id.clone(),
            ttl: expires - created_at.as_secs(),
            message_type: instruction.message_type.clone(),
            created_at,
        };
        Ok(Self::new(metadata, content))
    }

    fn new(metadata: Metadata, content: Content) -> Self {
        let Content { tree, mut objects } = content;
        let mut message = Message {
            metadata,
            body: Body::Content,
        };
        let object = message.object(Some(tree.id));
        message.metadata.id = object.id;
        let tree = ObjectTree {
            id: object.id,
            children: vec![tree],
        };
        objects.push(object);
        Self {
            message: message.into(),
            tree: tree.into(),
            objects: objects
                .into_iter()
                .map(|object| (object.id, object.bytes))
                .collect(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.tree.object_id
    }

    /// Takes its objects out.
    pub(crate) fn into_objects(self) -> HashMap<ObjectId, Bytes> {
        self.objects
    }
}

/// All objects of a tree, each once: pullers do not fetch what they have.
pub(crate) fn object_ids(tree: proto::ObjectTree) -> Result<BTreeSet<ObjectId>> {
    let tree = ObjectTree::try_from(tree)?;
    Ok(tree.post_order().iter().map(|part| part.id).collect())
}

/// The objects that a SuperLink wants, of those that there are.
pub(crate) fn wanted(
    ids: &[String],
    objects: &HashMap<ObjectId, Bytes>,
) -> Result<Vec<(ObjectId, Bytes)>> {
    let object = |text: &String| {
        let id = text.parse()?;
        let content = objects.get(&id).context("an unknown object is wanted")?;
        Ok((id, content.clone()))
    };
    ids.iter().map(object).collect()
}
