//! What this process sees of each node's connections: the calls that are held for the node, and
//! the certificate by which it was last seen. Nothing here decides who is served.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::monotonic;
use flwr_security::tls::Certificate;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::state::Session;

/// What is known of the connections of each node that was seen since the SuperLink started.
#[derive(Debug, Default)]
pub(super) struct Connections(Mutex<HashMap<NodeId, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The node got a message.
    is_used: bool,
    certificate: Option<Arc<Certificate>>,
    calls: Calls,
}

/// The calls for a message that are held for a node in its session. A SuperNode makes one at a
/// time. A call whose connection was lost may still be held when its SuperNode makes the next, but
/// no longer than a hold. Two SuperNodes that share a key make calls beside each other for ever,
/// with moments between them.
#[derive(Debug, Default)]
struct Calls {
    session: Session,
    held: usize,
    /// Since when two calls are held, but for moments.
    crowded_since: Option<Instant>,
    /// Since when fewer than two calls are held.
    alone_since: Option<Instant>,
    is_told: bool,
}

/// The part of the suspicious time that counts as a moment. Each of two SuperNodes needs that long
/// to make its next call.
const MOMENT: u32 = 8;

impl Calls {
    /// A call of this session begins. True if two SuperNodes have made calls for longer than
    /// `suspicious`, once.
    fn begin(&mut self, session: Session, now: Instant, suspicious: Duration) -> bool {
        if session < self.session {
            return false;
        }
        if session > self.session {
            let is_told = self.is_told;
            *self = Self {
                session,
                is_told,
                ..Self::default()
            };
        }
        self.held += 1;
        if self.held == 1 {
            return false;
        }
        let alone_since = self.alone_since.take();
        if alone_since.is_some_and(|since| now.duration_since(since) > suspicious / MOMENT) {
            self.crowded_since = None;
        }
        let since = *self.crowded_since.get_or_insert(now);
        let is_news = !self.is_told && now.duration_since(since) > suspicious;
        self.is_told |= is_news;
        is_news
    }

    /// A call of this session ends.
    fn end(&mut self, session: Session, now: Instant) {
        if session != self.session {
            return;
        }
        // Nothing is counted any more of a node that was forgotten meanwhile.
        self.held = self.held.saturating_sub(1);
        if self.held < 2 {
            self.alone_since.get_or_insert(now);
        }
    }
}

/// Counts a call for a message while it is held.
#[derive(Debug)]
pub(super) struct Held<'a> {
    connections: &'a Connections,
    node: NodeId,
    session: Session,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut seen = self.connections.0.lock();
        if let Some(seen) = seen.get_mut(&self.node) {
            seen.calls.end(self.session, monotonic::now());
        }
    }
}

impl Connections {
    /// Counts a call for a message in the node's session, and says whether it has become certain
    /// that two SuperNodes make them: for longer than `suspicious` they have overlapped.
    pub(super) fn hold(
        &self,
        node: NodeId,
        session: Session,
        suspicious: Duration,
    ) -> (Held<'_>, bool) {
        let mut seen = self.0.lock();
        let seen = seen.entry(node).or_default();
        let is_shared = seen.calls.begin(session, monotonic::now(), suspicious);
        let held = Held {
            connections: self,
            node,
            session,
        };
        (held, is_shared)
    }

    /// The node got a message.
    pub(super) fn use_node(&self, node: NodeId) {
        self.0.lock().entry(node).or_default().is_used = true;
    }

    /// Whether the node got a message since the SuperLink started.
    pub(super) fn is_used(&self, node: NodeId) -> bool {
        self.0.lock().get(&node).is_some_and(|seen| seen.is_used)
    }

    /// The node was seen by this certificate.
    pub(super) fn identify(&self, node: NodeId, certificate: Arc<Certificate>) {
        self.0.lock().entry(node).or_default().certificate = Some(certificate);
    }

    /// The certificate by which the node was last seen.
    pub(super) fn certificate(&self, node: NodeId) -> Option<Arc<Certificate>> {
        self.0.lock().get(&node)?.certificate.clone()
    }

    /// The calls that are held for the node.
    #[cfg(test)]
    pub(super) fn held(&self, node: NodeId) -> usize {
        self.0.lock().get(&node).map_or(0, |seen| seen.calls.held)
    }

    /// The node left. Only whether it was of use is of interest now.
    pub(super) fn leave(&self, node: NodeId) {
        let mut seen = self.0.lock();
        let is_used = seen.remove(&node).is_some_and(|seen| seen.is_used);
        if is_used {
            seen.entry(node).or_default().is_used = true;
        }
    }

    /// The node is forgotten.
    pub(super) fn end(&self, node: NodeId) {
        self.0.lock().remove(&node);
    }
}
