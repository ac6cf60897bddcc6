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
    APP_FIRST_CONTACT, APP_FIRST_HEARTBEAT, KnownNode, Outlook, RETURN, Session, Traffic,
};
use crate::link::wake::Topic;

mod notes;
mod traffic;

/// Seconds between two writings of who is online.
const WRITE_EVERY: f64 = 30.0;

#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<Inner>);

/// What a state on disk remembers of signs of life.
#[derive(Debug)]
pub(super) struct Remembered {
    /// When who is online was written last.
    pub(super) seen_at: Timestamp,
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

#[derive(Debug)]
struct Node {
    known: KnownNode,
    /// A sign of life came in the node's session.
    heard: bool,
    /// Counts the writes after which there may be a message for the node.
    version: u64,
    /// The version at which nothing was queued for the node. While it is still of that version,
    /// nobody needs to look.
    nothing_at: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    run: RunId,
    lost_at: Timestamp,
}

impl Inner {
    fn add(&mut self, known: KnownNode, heard: bool) {
        self.by_key.insert(known.key.clone(), known.id);
        if let Some(next) = &known.next_key {
            self.by_next_key.insert(next.clone(), known.id);
        }
        let node = Node {
            heard,
            version: 0,
            nothing_at: None,
            known,
        };
        self.nodes.insert(node.known.id, node);
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
        for (mut known, heard) in remembered.nodes {
            match known.outlook() {
                Outlook::There(until) if until > seen_at => {
                    known.online_until = until.max(now + RETURN);
                }
                // It could not return meanwhile.
                Outlook::Left(until) if until > seen_at => {
                    known.online_until = now;
                    known.deactivated_at = Some(now);
                }
                _ => {}
            }
            inner.add(known, heard);
        }
        for task in remembered.begun {
            let (run, lost_at) = (task.run, now + APP_FIRST_HEARTBEAT);
            inner.tasks.insert(task.id, Lease { run, lost_at });
        }
        Self(Mutex::new(inner))
    }

    pub(super) fn of_key(&self, key: &PublicKey) -> Option<NodeId> {
        self.0.lock().by_key.get(key).copied()
    }

    pub(super) fn registered(&self, node: KnownNode) {
        let mut inner = self.0.lock();
        inner.add(node, false);
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
        if let Some(node) = self.0.lock().nodes.get_mut(&known.id) {
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
        if let Some(node) = inner.nodes.remove(&node) {
            inner.by_key.remove(&node.known.key);
            if let Some(next) = &node.known.next_key {
                inner.by_next_key.remove(next);
            }
        }
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
            node.heard = true;
        }
    }

    pub(super) fn was_heard(&self, node: NodeId) -> bool {
        let inner = self.0.lock();
        inner.nodes.get(&node).is_some_and(|node| node.heard)
    }

    pub(super) fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let node = inner.nodes.get_mut(&node);
        node.map(|node| node.known.keep(until, now)).is_some()
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
        let online = nodes.filter(|(_, node)| node.known.online_until > now);
        online.map(|(id, _)| *id).collect()
    }

    pub(super) fn outlook(&self, node: NodeId) -> Option<Outlook> {
        let inner = self.0.lock();
        inner.nodes.get(&node).map(|node| node.known.outlook())
    }

    /// The run has begun; the process of its ServerApp is lost at `lost_at`.
    pub(super) fn run_began(&self, run: RunId, lost_at: Timestamp) {
        let task = TaskId::of_serverapp(run);
        self.0.lock().tasks.insert(task, Lease { run, lost_at });
    }

    pub(super) fn run_ended(&self, run: RunId) {
        self.0.lock().tasks.retain(|_, lease| lease.run != run);
    }

    /// False unless the task's run has begun and is not over.
    pub(super) fn keep_task(&self, task: TaskId, until: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let lease = inner.tasks.get_mut(&task);
        lease.map(|lease| lease.lost_at = until).is_some()
    }

    pub(super) fn lost_runs(&self, now: Timestamp) -> Vec<RunId> {
        let inner = self.0.lock();
        let lost = inner.tasks.values().filter(|lease| lease.lost_at < now);
        lost.map(|lease| lease.run).collect()
    }

    pub(super) fn add_traffic(&self, run: RunId, more: Traffic) {
        *self.0.lock().traffic.entry(run).or_default() += more;
    }

    pub(super) fn move_leases(&self, seconds: f64) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.known.move_lease(seconds);
        }
        for lease in inner.tasks.values_mut() {
            lease.lost_at = lease.lost_at + seconds;
        }
        // What is on disk tells of the clock as it was.
        inner.written_at = None;
        inner.tokens = Tokens::Moved;
    }

    pub(super) fn extend_leases(&self, since: Timestamp, seconds: f64) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.known.extend_lease(since, seconds);
        }
        for lease in inner
            .tasks
            .values_mut()
            .filter(|lease| lease.lost_at > since)
        {
            lease.lost_at = lease.lost_at + seconds;
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

    /// Whether it is time to write who is online.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let written_at = self.0.lock().written_at;
        written_at.is_none_or(|at| now.since(at) >= WRITE_EVERY)
    }

    /// The nodes that are registered, each with whether it was heard in its session: what is to be
    /// written of signs of life.
    pub(super) fn signs(&self) -> Vec<(KnownNode, bool)> {
        let inner = self.0.lock();
        let nodes = inner.nodes.values();
        nodes.map(|node| (node.known.clone(), node.heard)).collect()
    }

    /// Who is online was written at `now`.
    pub(super) fn written(&self, now: Timestamp) {
        self.0.lock().written_at = Some(now);
    }
}
