//! The wire name that the state keeps beside each node. What the names mean is not known here.

use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::monotonic;

use super::Link;
use super::wake::Topic;
use crate::error::Result;

impl Link {
    /// The wire name that was noted beside the node.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn noted_wire(&self, node: NodeId) -> Result<Option<String>> {
        Ok(self.state.wire(node).await?)
    }

    /// Notes a wire name beside the node.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn note_wire(&self, node: NodeId, wire: &str) -> Result<()> {
        Ok(self.state.note_wire(node, wire).await?)
    }

    /// Whether the node has given a sign of life since it registered.
    #[must_use]
    pub fn was_heard(&self, node: NodeId) -> bool {
        self.state.was_heard(node)
    }

    /// The node has given a sign of life; who waits for that is woken.
    pub fn hear(&self, node: NodeId) {
        self.state.hear_node(node);
        self.wake.notify(Topic::Node(node));
    }

    /// Waits for the first sign of life of a node that has registered, `within` that time.
    pub async fn first_sign(&self, node: NodeId, within: Duration) {
        let listener = self.wake.listen(Topic::Node(node));
        let deadline = monotonic::now() + within;
        loop {
            let changed = listener.next();
            if self.state.was_heard(node) || self.wait(changed, deadline).await.is_none() {
                return;
            }
        }
    }
}
