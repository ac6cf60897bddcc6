//! What changes with each heartbeat, and is kept in memory: who is online, and until when. It is
//! written now and then; a SuperLink that comes back gives everybody who was there time to
//! return.

use std::collections::{BTreeMap, HashMap};

use flwr_core::id::{NodeId, RunId};
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::row;
use crate::link::state::{APP_FIRST_HEARTBEAT, Changed, KnownNode, StateResult};
use crate::link::wake::Topic;

/// Seconds that nodes have to return after the SuperLink did: as long as Flower's may be
/// silent (two heartbeat intervals of 30 s).
const RETURN: f64 = 60.0;
/// Seconds between two writings of who is online.
const WRITE_EVERY: f64 = 30.0;

#[derive(Debug)]
pub(super) struct Presence(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<PublicKey, NodeId>,
    nodes: BTreeMap<NodeId, Node>,
    /// When each starting or running run is lost.
    runs: HashMap<RunId, Timestamp>,
    written_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Node {
    key: PublicKey,
    online_until: Timestamp,
    wire: Option<String>,
    /// Counts the writes after which there may be a message for the node.
    version: u64,
    /// The version at which nothing was queued for the node. While it is still of that version,
    /// nobody needs to look.
    nothing_at: Option<u64>,
}

impl Presence {
    /// Who was there when the state was written last, with time to return from `now` on.
    pub(super) fn load(connection: &Connection, now: Timestamp) -> StateResult<Self> {
        let seen_at = connection.query_row("SELECT seen_at FROM link", [], |row| {
            row.get(0).map(Timestamp::from_secs)
        })?;
        let mut inner = Inner::default();
        let mut nodes = connection.prepare("SELECT id, key, online_until, dialect FROM node")?;
        let mut rows = nodes.query([])?;
        while let Some(row) = rows.next()? {
            let node = NodeId(row::id(row, 0)?);
            let key = row::key(row, 1)?;
            let until = Timestamp::from_secs(row.get(2)?);
            let online_until = if until > seen_at {
                until.max(now + RETURN)
            } else {
                until
            };
            inner.by_key.insert(key.clone(), node);
            inner.nodes.insert(
                node,
                Node {
                    key,
                    online_until,
                    wire: row::wire(row, 3)?,
                    version: 0,
                    nothing_at: None,
                },
            );
        }
        let mut runs =
            connection.prepare("SELECT id FROM run WHERE phase IN ('starting', 'running')")?;
        let mut rows = runs.query([])?;
        while let Some(row) = rows.next()? {
            inner
                .runs
                .insert(RunId(row::id(row, 0)?), now + APP_FIRST_HEARTBEAT);
        }
        Ok(Self(Mutex::new(inner)))
    }

    pub(super) fn of_key(&self, key: &PublicKey) -> Option<NodeId> {
        self.0.lock().by_key.get(key).copied()
    }

    pub(super) fn registered(&self, node: NodeId, key: PublicKey, online_until: Timestamp) {
        let mut inner = self.0.lock();
        inner.by_key.insert(key.clone(), node);
        let known = inner.nodes.get(&node);
        let wire = known.and_then(|known| known.wire.clone());
        let version = known.map(|known| known.version).unwrap_or_default();
        inner.nodes.insert(
            node,
            Node {
                key,
                online_until,
                wire,
                version,
                nothing_at: None,
            },
        );
    }

    /// Something was written for these nodes: whoever looked before has seen too little.
    pub(super) fn look_again(&self, changed: &Changed) {
        let mut inner = self.0.lock();
        for topic in &changed.wake {
            if let Topic::Node(node) = topic
                && let Some(node) = inner.nodes.get_mut(node)
            {
                node.version += 1;
            }
        }
    }

    /// Whether there may be a message for the node, and if so, the node's version now. It errs to
    /// look: after a start nothing is known.
    pub(super) fn worth_a_look(&self, node: NodeId) -> Option<u64> {
        let inner = self.0.lock();
        let known = inner.nodes.get(&node)?;
        (known.nothing_at != Some(known.version)).then_some(known.version)
    }

    /// Nothing was queued for the node in a snapshot that is not older than this version.
    pub(super) fn has_nothing(&self, node: NodeId, version: u64) {
        if let Some(node) = self.0.lock().nodes.get_mut(&node) {
            node.nothing_at = Some(version);
        }
    }

    pub(super) fn note_wire(&self, node: NodeId, wire: &str) {
        if let Some(node) = self.0.lock().nodes.get_mut(&node) {
            node.wire = Some(wire.to_owned());
        }
    }

    pub(super) fn wire(&self, node: NodeId) -> Option<String> {
        self.0.lock().nodes.get(&node)?.wire.clone()
    }

    pub(super) fn removed(&self, node: NodeId) {
        let mut inner = self.0.lock();
        if let Some(node) = inner.nodes.remove(&node) {
            inner.by_key.remove(&node.key);
        }
    }

    pub(super) fn keep_node(&self, node: NodeId, until: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let known = inner.nodes.get_mut(&node);
        known.map(|node| node.online_until = until).is_some()
    }

    pub(super) fn all(&self) -> Vec<KnownNode> {
        let known = |(id, node): (&NodeId, &Node)| KnownNode {
            id: *id,
            key: node.key.clone(),
            online_until: node.online_until,
        };
        self.0.lock().nodes.iter().map(known).collect()
    }

    pub(super) fn online(&self, now: Timestamp) -> Vec<NodeId> {
        let inner = self.0.lock();
        let online = inner
            .nodes
            .iter()
            .filter(|(_, node)| node.online_until > now);
        online.map(|(id, _)| *id).collect()
    }

    pub(super) fn online_until(&self, node: NodeId) -> Option<Timestamp> {
        self.0.lock().nodes.get(&node).map(|node| node.online_until)
    }

    /// The run has begun, and is lost at `until`.
    pub(super) fn run_began(&self, run: RunId, until: Timestamp) {
        self.0.lock().runs.insert(run, until);
    }

    pub(super) fn run_ended(&self, run: RunId) {
        self.0.lock().runs.remove(&run);
    }

    /// False unless the run has begun and is not over.
    pub(super) fn keep_run(&self, run: RunId, until: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let known = inner.runs.get_mut(&run);
        known.map(|lost_at| *lost_at = until).is_some()
    }

    pub(super) fn lost_runs(&self, now: Timestamp) -> Vec<RunId> {
        let inner = self.0.lock();
        let lost = inner.runs.iter().filter(|(_, lost_at)| **lost_at < now);
        lost.map(|(run, _)| *run).collect()
    }

    pub(super) fn move_leases(&self, seconds: f64) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.online_until = node.online_until + seconds;
        }
        for lost_at in inner.runs.values_mut() {
            *lost_at = *lost_at + seconds;
        }
        // What is on disk tells of the clock as it was.
        inner.written_at = None;
    }

    /// Whether it is time to write who is online.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let written_at = self.0.lock().written_at;
        written_at.is_none_or(|at| now.since(at) >= WRITE_EVERY)
    }

    /// Writes who is online.
    pub(super) fn write(&self, connection: &Connection, now: Timestamp) -> StateResult<()> {
        let nodes: Vec<_> = {
            let inner = self.0.lock();
            let nodes = inner.nodes.iter();
            nodes.map(|(id, node)| (*id, node.online_until)).collect()
        };
        let mut update = connection.prepare_cached(
            "UPDATE node SET online_until = ?2 WHERE id = ?1 AND online_until <> ?2",
        )?;
        for (node, until) in nodes {
            update.execute(params![row::signed(node), until.as_secs()])?;
        }
        connection.execute("UPDATE link SET seen_at = ?1", [now.as_secs()])?;
        self.0.lock().written_at = Some(now);
        Ok(())
    }
}
