//! The tree of ids that announces an object and all that it is made of.

use std::collections::HashSet;

use bytes::Bytes;
use flwr_proto as proto;
use prost::Message as _;
use thiserror::Error;

use super::{InvalidObjectId, ObjectId};

/// An object id with the trees of its children, in the order of the object's head. The same id
/// may stand under several parents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTree {
    /// The object at the root.
    pub id: ObjectId,
    /// What it is made of.
    pub children: Vec<Self>,
}

/// Why a tree from the wire is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeError {
    /// An id in it is none.
    #[error(transparent)]
    InvalidId(#[from] InvalidObjectId),
    /// Deeper than any message needs.
    #[error("an object tree is at most {} levels deep", ObjectTree::MAX_DEPTH)]
    TooDeep,
    /// Larger than any message needs.
    #[error("an object tree has at most {} objects", ObjectTree::MAX_OBJECTS)]
    TooLarge,
}

impl ObjectTree {
    /// Levels in a tree, the root's included. Flower's own have five: Message, RecordDict,
    /// ArrayRecord, Array, ArrayChunk (flwr 1.22 wire); the rest is room for later versions.
    pub const MAX_DEPTH: usize = 16;
    /// Objects in a tree, repeated ones counted each time. At 20 MiB a chunk that is a payload
    /// of 5 TB: larger ones are mistakes or attacks.
    pub const MAX_OBJECTS: usize = 1 << 18;

    /// A tree of one object that has no children.
    #[must_use]
    pub const fn leaf(id: ObjectId) -> Self {
        Self {
            id,
            children: Vec::new(),
        }
    }

    /// All ids with their children's, children before parents, repeated ones each time.
    #[must_use]
    pub fn post_order(&self) -> Vec<&Self> {
        let mut order = Vec::new();
        self.walk(&mut order);
        order
    }

    /// Each child once, in the order of first use: what the object's head lists.
    #[must_use]
    pub fn distinct_children(&self) -> Vec<ObjectId> {
        let mut seen = HashSet::new();
        let children = self.children.iter().map(|child| child.id);
        children.filter(|child| seen.insert(*child)).collect()
    }

    /// The form in which a tree is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        proto::ObjectTree::from(self.clone()).encode_to_vec()
    }

    /// Reads a tree that was kept.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        proto::ObjectTree::decode(bytes).ok()?.try_into().ok()
    }

    fn walk<'a>(&'a self, order: &mut Vec<&'a Self>) {
        for child in &self.children {
            child.walk(order);
        }
        order.push(self);
    }

    fn checked(tree: proto::ObjectTree, depth: usize, room: &mut usize) -> Result<Self, TreeError> {
        let depth = depth.checked_sub(1).ok_or(TreeError::TooDeep)?;
        *room = room.checked_sub(1).ok_or(TreeError::TooLarge)?;
        let id = tree.object_id.parse()?;
        let children = tree
            .children
            .into_iter()
            .map(|child| Self::checked(child, depth, room))
            .collect::<Result<_, _>>()?;
        Ok(Self { id, children })
    }
}

impl TryFrom<proto::ObjectTree> for ObjectTree {
    type Error = TreeError;

    fn try_from(tree: proto::ObjectTree) -> Result<Self, Self::Error> {
        Self::checked(tree, Self::MAX_DEPTH, &mut { Self::MAX_OBJECTS })
    }
}

impl From<ObjectTree> for proto::ObjectTree {
    fn from(tree: ObjectTree) -> Self {
        Self {
            object_id: tree.id.to_string(),
            children: tree.children.into_iter().map(Into::into).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree of a query message with an empty RecordDict, serialized by flwr 1.22.0.
    const QUERY_TREE: &str = "0a406333373235323230646536316665313363323266346432643762393164643837353833316363616638356662366337633336323435343765366363633037653012420a4061356663396362303933313964633337336637613866313161373939666430643930633335393132306664363234316332333064653334613466393362653365";

    fn chain(length: usize) -> proto::ObjectTree {
        let object_id = "a".repeat(64);
        (1..length).fold(
            proto::ObjectTree {
                object_id: object_id.clone(),
                children: vec![],
            },
            |child, _| proto::ObjectTree {
                object_id: object_id.clone(),
                children: vec![child],
            },
        )
    }

    #[test]
    fn a_tree_made_by_flwr_comes_through_unchanged() {
        let bytes = hex::decode(QUERY_TREE).unwrap();
        let tree = ObjectTree::try_from(proto::ObjectTree::decode(&bytes[..]).unwrap()).unwrap();
        let ids: Vec<_> = tree
            .post_order()
            .iter()
            .map(|tree| tree.id.to_string())
            .collect();
        assert_eq!(
            ids,
            [
                "a5fc9cb09319dc373f7a8f11a799fd0d90c359120fd6241c230de34a4f93be3e",
                "c3725220de61fe13c22f4d2d7b91dd875831ccaf85fb6c7c3624547e6ccc07e0",
            ]
        );
        assert_eq!(proto::ObjectTree::from(tree).encode_to_vec(), bytes);
    }

    #[test]
    fn trees_beyond_the_bounds_are_refused() {
        assert!(ObjectTree::try_from(chain(ObjectTree::MAX_DEPTH)).is_ok());
        let deep = ObjectTree::try_from(chain(ObjectTree::MAX_DEPTH + 1));
        assert_eq!(deep, Err(TreeError::TooDeep));

        let mut wide = chain(1);
        wide.children = vec![chain(1); ObjectTree::MAX_OBJECTS];
        assert_eq!(ObjectTree::try_from(wide), Err(TreeError::TooLarge));
    }

    #[test]
    fn an_id_that_is_none_is_named() {
        let tree = proto::ObjectTree {
            object_id: "xyz".to_owned(),
            children: vec![],
        };
        let error = ObjectTree::try_from(tree).unwrap_err();
        assert!(error.to_string().contains("xyz"), "{error}");
    }
}
