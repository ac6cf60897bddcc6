//! How often each node has registered. A call that is held for a node belongs to the registration
//! it came under: when the node registers again, whoever made the call is gone.

use std::collections::HashMap;

use flwr_core::id::NodeId;
use parking_lot::Mutex;

/// One life of a node, from a registration to the next.
pub(super) type Session = u64;

/// The current session of each node that registered here since the SuperLink started.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<NodeId, Session>>);

impl Sessions {
    /// The node registers.
    pub(super) fn begin(&self, node: NodeId) {
        *self.0.lock().entry(node).or_default() += 1;
    }

    /// The session in which the node is now.
    pub(super) fn current(&self, node: NodeId) -> Session {
        self.0.lock().get(&node).copied().unwrap_or_default()
    }

    /// The node left, and its id with it.
    pub(super) fn end(&self, node: NodeId) {
        self.0.lock().remove(&node);
    }
}
