//! How often each node has registered. A call that is held for a node belongs to the registration
//! it came under: when the node registers again, whoever made the call is gone. And by which
//! certificate each node was last seen, where they are asked for one.

use std::collections::HashMap;
use std::sync::Arc;

use flwr_core::id::NodeId;
use flwr_security::tls::Certificate;
use parking_lot::Mutex;

/// One life of a node, from a registration to the next.
pub(super) type Session = u64;

/// What is known of each node that was seen since the SuperLink started.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<NodeId, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    session: Session,
    /// Whether it has given a sign of life since it registered.
    heard: bool,
    certificate: Option<Arc<Certificate>>,
}

impl Sessions {
    /// The node registers.
    pub(super) fn begin(&self, node: NodeId) {
        let mut seen = self.0.lock();
        let seen = seen.entry(node).or_default();
        seen.session += 1;
        seen.heard = false;
    }

    /// The session in which the node is now.
    pub(super) fn current(&self, node: NodeId) -> Session {
        let seen = self.0.lock();
        seen.get(&node).map(|seen| seen.session).unwrap_or_default()
    }

    /// The node has given a sign of life.
    pub(super) fn hear(&self, node: NodeId) {
        self.0.lock().entry(node).or_default().heard = true;
    }

    /// Whether the node has given a sign of life since it registered, or since the SuperLink
    /// started.
    pub(super) fn was_heard(&self, node: NodeId) -> bool {
        self.0.lock().get(&node).is_some_and(|seen| seen.heard)
    }

    /// Whether the node has registered here, and not given a sign of life since.
    pub(super) fn is_unheard(&self, node: NodeId) -> bool {
        let seen = self.0.lock();
        seen.get(&node)
            .is_some_and(|seen| seen.session > 0 && !seen.heard)
    }

    /// The node was seen by this certificate.
    pub(super) fn identify(&self, node: NodeId, certificate: Arc<Certificate>) {
        self.0.lock().entry(node).or_default().certificate = Some(certificate);
    }

    /// The certificate by which the node was last seen.
    pub(super) fn certificate(&self, node: NodeId) -> Option<Arc<Certificate>> {
        self.0.lock().get(&node)?.certificate.clone()
    }

    /// The node left, and its id with it.
    pub(super) fn end(&self, node: NodeId) {
        self.0.lock().remove(&node);
    }
}
