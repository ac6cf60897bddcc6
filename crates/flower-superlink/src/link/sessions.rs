//! How often each node has registered. A call that is held for a node belongs to the registration
//! it came under: when the node registers again, whoever made the call is gone. Calls that overlap
//! all the time in one session are those of two SuperNodes with the same key. And by which
//! certificate each node was last seen, where they are asked for one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::monotonic;
use flwr_security::tls::Certificate;
use parking_lot::Mutex;
use tokio::time::Instant;

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
    calls: Calls,
}

/// The calls for a message that are held for a node in its session. A SuperNode makes one at a
/// time. A call whose connection was lost may still be held when its SuperNode makes the next, but
/// no longer than a hold. Two SuperNodes that share a key make calls beside each other for ever.
#[derive(Debug, Default)]
struct Calls {
    held: usize,
    /// Since when no call began without another beside it.
    crowded_since: Option<Instant>,
    is_told: bool,
}

impl Calls {
    /// A call begins. True if two SuperNodes have made calls for longer than `suspicious`, once.
    fn begin(&mut self, now: Instant, suspicious: Duration) -> bool {
        self.held += 1;
        if self.held == 1 {
            self.crowded_since = None;
            return false;
        }
        let since = *self.crowded_since.get_or_insert(now);
        let is_news = !self.is_told && now.duration_since(since) > suspicious;
        self.is_told |= is_news;
        is_news
    }
}

/// Counts a call for a message while it is held.
#[derive(Debug)]
pub(super) struct Held<'a> {
    sessions: &'a Sessions,
    node: NodeId,
    session: Session,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut seen = self.sessions.0.lock();
        if let Some(seen) = seen.get_mut(&self.node)
            && seen.session == self.session
        {
            // A node that left and came back counts its sessions from the first.
            seen.calls.held = seen.calls.held.saturating_sub(1);
        }
    }
}

impl Sessions {
    /// The node registers.
    pub(super) fn begin(&self, node: NodeId) {
        let mut seen = self.0.lock();
        let seen = seen.entry(node).or_default();
        seen.session += 1;
        seen.heard = false;
        let is_told = seen.calls.is_told;
        seen.calls = Calls {
            is_told,
            ..Calls::default()
        };
    }

    /// Counts a call for a message in the node's session, and says whether it has become certain
    /// that two SuperNodes make them: for longer than `suspicious` they have overlapped.
    pub(super) fn hold(&self, node: NodeId, suspicious: Duration) -> (Held<'_>, bool) {
        let mut seen = self.0.lock();
        let seen = seen.entry(node).or_default();
        let is_shared = seen.calls.begin(monotonic::now(), suspicious);
        let held = Held {
            sessions: self,
            node,
            session: seen.session,
        };
        (held, is_shared)
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
