//! What is noted of nodes: what people say of them, and what was seen.

use flwr_core::id::NodeId;
use flwr_security::key::PublicKey;

use super::Presence;
use crate::link::state::{KnownNode, Traits};

impl Presence {
    /// A person has registered the node.
    pub(in super::super) fn enrolled(&self, node: &KnownNode, is_new: bool) {
        if is_new {
            self.registered(node.clone());
        }
        let mut inner = self.0.lock();
        if let Some(known) = inner.change(node.id) {
            known.known.owner.clone_from(&node.owner);
            known.known.name.clone_from(&node.name);
            known.known.location.clone_from(&node.location);
        }
        inner.dismissed.remove(&node.key);
    }

    /// A person has unregistered the node of this key.
    pub(in super::super) fn dismissed(&self, key: PublicKey) {
        self.0.lock().dismissed.insert(key);
    }

    pub(in super::super) fn is_dismissed(&self, key: &PublicKey) -> bool {
        self.0.lock().dismissed.contains(key)
    }

    pub(in super::super) fn is_key_of(&self, key: &PublicKey, node: NodeId) -> bool {
        let inner = self.0.lock();
        let node = inner.nodes.get(&node);
        node.is_some_and(|node| node.known.has_key(key))
    }

    /// The node will have this key.
    pub(in super::super) fn note_next_key(&self, node: NodeId, next: &PublicKey) {
        let mut inner = self.0.lock();
        let Some(known) = inner.change(node) else {
            return;
        };
        let earlier = known.known.next_key.replace(next.clone());
        if let Some(earlier) = earlier {
            inner.by_next_key.remove(&earlier);
        }
        inner.by_next_key.insert(next.clone(), node);
    }

    pub(in super::super) fn of_next_key(&self, next: &PublicKey) -> Option<NodeId> {
        self.0.lock().by_next_key.get(next).copied()
    }

    /// The node has this key from now on.
    pub(in super::super) fn use_next_key(&self, node: NodeId, next: &PublicKey) {
        let mut inner = self.0.lock();
        inner.by_next_key.remove(next);
        let Some(known) = inner.change(node) else {
            return;
        };
        let old = known.known.key.clone();
        known.known.change_key(next.clone());
        inner.by_key.remove(&old);
        inner.by_key.insert(next.clone(), node);
    }

    pub(in super::super) fn note_wire(&self, node: NodeId, wire: &str) {
        if let Some(node) = self.0.lock().change(node) {
            node.known.wire = Some(wire.to_owned());
        }
    }

    pub(in super::super) fn wire(&self, node: NodeId) -> Option<String> {
        self.0.lock().nodes.get(&node)?.known.wire.clone()
    }

    pub(in super::super) fn note_traits(&self, node: NodeId, traits: &Traits) {
        if let Some(node) = self.0.lock().change(node) {
            node.known.traits = traits.clone();
        }
    }

    pub(in super::super) fn note_certificate(&self, owner: String) {
        self.0.lock().certificates.insert(owner);
    }

    pub(in super::super) fn is_of_node(&self, owner: &str) -> bool {
        self.0.lock().certificates.contains(owner)
    }
}
