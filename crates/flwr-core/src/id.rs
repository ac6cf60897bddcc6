//! Who is meant: the ids of runs, tasks and nodes. A `RunId` is never a `NodeId`.

use std::fmt;

/// Names a run. Any 64-bit value; shown in decimal, as Flower does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// Names a SuperNode, or the SuperLink itself. Any 64-bit value; shown in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

/// Names a task. Any 64-bit value; shown in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

impl TaskId {
    /// The task of a run's ServerApp. A run has one ServerApp, so the task has the run's number.
    #[must_use]
    pub const fn of_serverapp(run: RunId) -> Self {
        Self(run.0)
    }
}

impl RunId {
    /// An id from 8 random bytes, little endian (flwr 1.22 wire).
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

impl NodeId {
    /// No node: the value of an unset field.
    pub const UNSET: Self = Self(0);
    /// The SuperLink, and the ServerApp behind it (flwr 1.22 wire).
    pub const SUPERLINK: Self = Self(1);

    /// An id from 8 random bytes, little endian (flwr 1.22 wire), or `None` for the two values
    /// that do not name a SuperNode.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Option<Self> {
        let id = Self(u64::from_le_bytes(bytes));
        (id != Self::UNSET && id != Self::SUPERLINK).then_some(id)
    }
}

macro_rules! id_conversions {
    ($id:ident) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<u64> for $id {
            fn from(id: u64) -> Self {
                Self(id)
            }
        }

        impl From<$id> for u64 {
            fn from(id: $id) -> u64 {
                id.0
            }
        }
    };
}

id_conversions!(RunId);
id_conversions!(NodeId);
id_conversions!(TaskId);

impl From<NodeId> for flwr_proto::Node {
    fn from(node: NodeId) -> Self {
        Self { node_id: node.0 }
    }
}

/// The node of a request; an absent field is [`NodeId::UNSET`], as in proto3.
impl From<Option<flwr_proto::Node>> for NodeId {
    fn from(node: Option<flwr_proto::Node>) -> Self {
        node.map_or(Self::UNSET, |node| Self(node.node_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_node_ids_never_name_the_superlink_or_nobody() {
        assert_eq!(NodeId::from_random(0_u64.to_le_bytes()), None);
        assert_eq!(NodeId::from_random(1_u64.to_le_bytes()), None);
        assert_eq!(
            NodeId::from_random([2, 0, 0, 0, 0, 0, 0, 0x80]),
            Some(NodeId(0x8000_0000_0000_0002))
        );
    }
}
