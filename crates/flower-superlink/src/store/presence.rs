//! Data that changes with each heartbeat: who is online, until when, and the traffic of runs. The
//! data lives in memory and is written now and then. After a restart, nodes that were online have
//! time to return.

use std::collections::{BTreeMap, HashMap, HashSet};

use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::task::Task;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use parking_lot::Mutex;

use crate::link::state::{
    APP_FIRST_CONTACT, APP_FIRST_HEARTBEAT, Census, KnownNode, Outlook, Session, Traffic,
};
use crate::link::wake::Topic;

mod node;
mod notes;
mod others;
mod signs;
mod tasks;
mod traffic;

pub(super) use node::NodeSign;
#[cfg(test)]
pub(super) use others::LATE;
pub(super) use others::{Begun, Row, Seen};
pub(super) use signs::{Signs, WRITE_EVERY};
pub(super) use tasks::TaskSign;

use node::Node;
use tasks::Lease;

#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Inner>);

/// What a state on disk remembers of signs of life.
#[derive(Debug)]
pub(super) struct Remembered {
    /// When the SuperLink that was here before wrote last.
    pub(super) seen_at: Timestamp,
    /// Whether other SuperLinks were there meanwhile.
    pub(super) has_others: bool,
    /// The nodes that are registered, each with whether it was heard in its session.
    pub(super) nodes: Vec<(KnownNode, bool)>,
    /// Rows of nodes, also of those that are unregistered.
    pub(super) rows: u64,
    /// The tasks whose run is starting or running.
    pub(super) begun: Vec<Task>,
    /// The owners of the certificates by which nodes were seen.
    pub(super) certificates: HashSet<String>,
    /// The keys of nodes that people have unregistered.
    pub(super) dismissed: HashSet<PublicKey>,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<PublicKey, NodeId>,
    by_next_key: HashMap<PublicKey, NodeId>,
    /// The nodes that are registered.
    nodes: BTreeMap<NodeId, Node>,
    /// Rows of nodes, also of those that are unregistered.
    rows: u64,
    /// When the process of each task is lost whose run is starting or running.
    tasks: HashMap<TaskId, Lease>,
    /// What is to be added to the runs' traffic on disk.
    traffic: HashMap<RunId, Traffic>,
    written_at: Option<Timestamp>,
    tokens: Tokens,
    /// The owners of the certificates by which nodes were seen.
    certificates: HashSet<String>,
    /// The keys of nodes that people have unregistered.
    dismissed: HashSet<PublicKey>,
    /// Counts what this SuperLink changes of nodes. Rows that were read before a change do not undo it.
    changes: u64,
    /// What the count was when a node last went.
    removed_at: u64,
}

/// Whether tokens that nobody used may be dropped. The times of their claims are on disk, and tell
/// of the clock as it was.
#[derive(Debug, Clone, Copy, Default)]
enum Tokens {
    #[default]
    Droppable,
    /// The clock was set, or the SuperLink was away.
    Moved,
    /// Their processes have so long to come.
    KeptUntil(Timestamp),
}

impl Inner {
    fn add(&mut self, known: KnownNode, heard: bool, edition: i64) {
        self.by_key.insert(known.key.clone(), known.id);
        if let Some(next) = &known.next_key {
            self.by_next_key.insert(next.clone(), known.id);
        }
        let node = Node::new(known, heard, edition, self.changes);
        self.nodes.insert(node.known.id, node);
    }

    /// The node, which this SuperLink is about to change.
    fn change(&mut self, node: NodeId) -> Option<&mut Node> {
        self.changes += 1;
        let node = self.nodes.get_mut(&node)?;
        node.changed_at = self.changes;
        Some(node)
    }

    fn remove(&mut self, node: NodeId) -> Option<Node> {
        let node = self.nodes.remove(&node)?;
        self.by_key.remove(&node.known.key);
        if let Some(next) = &node.known.next_key {
            self.by_next_key.remove(next);
        }
        Some(node)
    }
}

impl Presence {
    /// Who was there when the state was written last, with time to return from `now` on.
    pub(super) fn new(remembered: Remembered, now: Timestamp) -> Self {
        let seen_at = remembered.seen_at;
        let mut inner = Inner {
            certificates: remembered.certificates,
            dismissed: remembered.dismissed,
            rows: remembered.rows,
            ..Inner::default()
        };
        for (known, heard) in remembered.nodes {
            let id = known.id;
            inner.add(known, heard, 0);
            if let Some(node) = inner.nodes.get_mut(&id) {
                node.returns(seen_at, remembered.has_others, now);
            }
        }
        for task in remembered.begun {
            let lost_at = now + APP_FIRST_HEARTBEAT;
            inner
                .tasks
                .insert(task.id, Lease::new(task.run, None, lost_at, 0));
        }
        Self(Mutex::new(inner))
    }

    pub(super) fn of_key(&self, key: &PublicKey) -> Option<NodeId> {
        self.0.lock().by_key.get(key).copied()
    }

    pub(super) fn registered(&self, node: KnownNode) {
        let mut inner = self.0.lock();
        inner.changes += 1;
        let id = node.id;
        inner.add(node, false, 0);
        inner.nodes.get_mut(&id).map(Node::is_written);
        inner.rows += 1;
    }

    /// Rows of nodes, also of those that are unregistered.
    pub(super) fn rows(&self) -> u64 {
        self.0.lock().rows
    }

    /// The node has begun a session.
    pub(super) fn activated(&self, activated: &KnownNode) {
        self.replace(activated, |node| {
            node.heard = false;
            node.nothing_at = None;
        });
    }

    /// The node has ended its session.
    pub(super) fn deactivated(&self, deactivated: &KnownNode) {
        self.replace(deactivated, |node| node.heard = false);
    }

    fn replace(&self, known: &KnownNode, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.0.lock().change(known.id) {
            node.known = KnownNode {
                // They may have been noted meanwhile.
                wire: node.known.wire.take(),
                traits: std::mem::take(&mut node.known.traits),
                next_key: node.known.next_key.take(),
                owner: node.known.owner.take(),
                name: node.known.name.take(),
                location: node.known.location.take(),
                ..known.clone()
            };
            node.is_written();
            change(node);
        }
    }

    /// Something was written for these nodes: whoever looked before has seen too little.
    pub(super) fn look_again(&self, topics: &[Topic]) {
        let mut inner = self.0.lock();
        for topic in topics {
            if let Topic::Node(node) = topic
                && let Some(node) = inner.nodes.get_mut(node)
            {
                node.version += 1;
            }
        }
    }

    /// Something may have been written for any node.
    pub(super) fn look_at_all_again(&self) {
        for node in self.0.lock().nodes.values_mut() {
            node.version += 1;
        }
    }

    /// Whether there may be a message for the node in this session, and if so, the node's version
    /// now. It errs to look: after a start nothing is known.
    pub(super) fn worth_a_look(&self, node: NodeId, session: Session) -> Option<u64> {
        let inner = self.0.lock();
        let node = inner.nodes.get(&node)?;
        let may_have = node.known.session == session && node.nothing_at != Some(node.version);
        may_have.then_some(node.version)
    }

    /// Nothing was queued for the node in a snapshot that is not older than this version.
    pub(super) fn has_nothing(&self, node: NodeId, version: u64) {
        if let Some(node) = self.0.lock().nodes.get_mut(&node) {
            node.nothing_at = Some(version);
        }
    }

    pub(super) fn removed(&self, node: NodeId) {
        let mut inner = self.0.lock();
        inner.changes += 1;
        inner.removed_at = inner.changes;
        inner.remove(node);
    }

    /// The row of the node is gone.
    pub(super) fn forgotten(&self, node: NodeId) {
        self.removed(node);
        let mut inner = self.0.lock();
        inner.rows = inner.rows.saturating_sub(1);
    }

    pub(super) fn session(&self, node: NodeId) -> Option<Session> {
        Some(self.0.lock().nodes.get(&node)?.known.session)
    }

    pub(super) fn hear(&self, node: NodeId) {
        if let Some(node) = self.0.lock().nodes.get_mut(&node) {
            node.hear();
        }
    }

    pub(super) fn was_heard(&self, node: NodeId) -> bool {
        let inner = self.0.lock();
        inner.nodes.get(&node).is_some_and(|node| node.heard)
    }

    pub(super) fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let Some(node) = inner.nodes.get_mut(&node) else {
            return false;
        };
        node.keep(until, now);
        true
    }

    /// The node by its row, with the signs of life that this SuperLink has heard in the same session and
    /// not written.
    pub(super) fn latest(&self, row: KnownNode) -> KnownNode {
        let inner = self.0.lock();
        match inner.nodes.get(&row.id) {
            Some(node) => node.latest(row),
            None => row,
        }
    }

    pub(super) fn node(&self, node: NodeId) -> Option<KnownNode> {
        Some(self.0.lock().nodes.get(&node)?.known.clone())
    }

    pub(super) fn all(&self) -> Vec<KnownNode> {
        let inner = self.0.lock();
        inner
            .nodes
            .values()
            .map(|node| node.known.clone())
            .collect()
    }

    pub(super) fn online(&self, now: Timestamp) -> Vec<NodeId> {
        let inner = self.0.lock();
        let nodes = inner.nodes.iter();
        let online = nodes.filter(|(_, node)| node.is_online(now));
        online.map(|(id, _)| *id).collect()
    }

    /// Counts the nodes that are registered.
    pub(super) fn count(&self, now: Timestamp, census: &mut Census) {
        for node in self.0.lock().nodes.values() {
            census.add_node(node.status(now));
        }
    }

    pub(super) fn outlook(&self, node: NodeId) -> Option<Outlook> {
        let inner = self.0.lock();
        inner.nodes.get(&node).map(Node::outlook)
    }

    pub(super) fn add_traffic(&self, run: RunId, more: Traffic) {
        *self.0.lock().traffic.entry(run).or_default() += more;
    }

    pub(super) fn move_leases(&self, seconds: f64) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.move_lease(seconds);
        }
        for lease in inner.tasks.values_mut() {
            lease.move_by(seconds);
        }
        // What is on disk tells of the clock as it was.
        inner.written_at = None;
        inner.tokens = Tokens::Moved;
    }

    pub(super) fn extend_leases(&self, since: Timestamp, seconds: f64) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.extend_lease(since, seconds);
        }
        for lease in inner.tasks.values_mut() {
            lease.extend(since, seconds);
        }
        inner.tokens = Tokens::Moved;
    }

    /// Whether tokens that nobody used may be dropped at `now`.
    pub(super) fn may_drop_tokens(&self, now: Timestamp) -> bool {
        let tokens = &mut self.0.lock().tokens;
        match *tokens {
            Tokens::Droppable => true,
            Tokens::KeptUntil(until) if until <= now => {
                *tokens = Tokens::Droppable;
                true
            }
            Tokens::KeptUntil(_) => false,
            Tokens::Moved => {
                *tokens = Tokens::KeptUntil(now + APP_FIRST_CONTACT);
                false
            }
        }
    }
}
