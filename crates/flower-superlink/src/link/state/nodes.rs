//! What must not be forgotten of nodes.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::{StateResult, Written};

/// How a node came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub node: NodeId,
    /// It was here before with the same key, and has its id back.
    pub resumed: bool,
}

/// A node, as it stands in the state.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownNode {
    /// Its id.
    pub id: NodeId,
    /// The key it proves itself with.
    pub key: PublicKey,
    /// Until when it counts as online.
    pub online_until: Timestamp,
}

/// Nodes: their keys, and until when they count as online.
#[async_trait]
pub trait Nodes {
    /// Takes the node with this key in, online until `until`.
    ///
    /// # Behavior
    /// - a new key: the node is named `fresh`
    /// - a key that is bound: its node's id stands, and what the node took but did not answer is
    ///   handed out again, since whoever took it is gone; a reply that it had begun to push goes
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> Written<Registration>;

    /// Forgets the node and its key. Unknown: nothing happens.
    async fn remove_node(&self, node: NodeId) -> Written<()>;

    /// The node bound to this key.
    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>>;

    /// The node lives: it is online until `until`. False if it is not known.
    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool>;

    /// Notes the name of the wire that the node speaks. Unknown: nothing happens.
    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()>;

    /// The name of the wire that the node speaks, if it was noted.
    async fn wire(&self, node: NodeId) -> StateResult<Option<String>>;

    /// All nodes, in the order of their ids.
    async fn nodes(&self) -> StateResult<Vec<KnownNode>>;

    /// The nodes online at `now`, in the order of their ids.
    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>>;
}
