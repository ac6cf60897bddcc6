//! What other SuperLinks write of nodes and of runs' processes, taken over into memory.
//!
//! Memory is a copy of rows here, a moment late: a row that another SuperLink changed is named by a
//! wake-up, and one look after a while finds what no wake-up told. Whatever must be right is decided in
//! the transaction, by the rows themselves.

use std::collections::HashSet;

use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::task::Task;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::{Inner, Lease, Node, Presence};
use crate::link::state::{KnownNode, Session};

/// How late the signs of life are that other SuperLinks hear, in seconds: they write every five seconds,
/// and this SuperLink reads as often.
pub(in crate::store) const LATE: f64 = 12.0;

/// The signs of life of a node, as its row has them.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Seen {
    pub(in crate::store) node: NodeId,
    pub(in crate::store) edition: i64,
    pub(in crate::store) session: Session,
    pub(in crate::store) heard: bool,
    pub(in crate::store) activated_at: Option<Timestamp>,
    pub(in crate::store) deactivated_at: Option<Timestamp>,
    pub(in crate::store) online_until: Timestamp,
}

/// A task whose run has begun, by its row.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Begun {
    pub(in crate::store) task: Task,
    /// When the run began, the last time.
    pub(in crate::store) starting_at: Option<Timestamp>,
    /// Until when the process counts as alive, once it gave a sign of life.
    pub(in crate::store) alive_until: Option<Timestamp>,
}

/// The row of a node.
#[derive(Debug)]
pub(in crate::store) struct Row {
    pub(in crate::store) known: KnownNode,
    pub(in crate::store) heard: bool,
    pub(in crate::store) edition: i64,
}

impl Row {
    fn seen(&self) -> Seen {
        Seen {
            node: self.known.id,
            edition: self.edition,
            session: self.known.session,
            heard: self.heard,
            activated_at: self.known.activated_at,
            deactivated_at: self.known.deactivated_at,
            online_until: self.known.online_until,
        }
    }
}

impl Presence {
    /// How often this SuperLink has changed nodes. Whoever reads rows asks before.
    pub(in crate::store) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// Takes in the signs of life of all nodes that are registered, as they were read after this count of
    /// changes. Gives the nodes whose rows are to be read, and those that have gone.
    pub(in crate::store) fn see(&self, all: &[Seen], changes: u64) -> (Vec<NodeId>, Vec<NodeId>) {
        let mut inner = self.0.lock();
        let mut unknown = Vec::new();
        let there: HashSet<_> = all.iter().map(|seen| seen.node).collect();
        for seen in all {
            match inner.nodes.get_mut(&seen.node) {
                Some(node) if node.changed_at > changes => {}
                Some(node)
                    if node.edition == seen.edition && node.known.session == seen.session =>
                {
                    node.see(seen);
                }
                _ => unknown.push(seen.node),
            }
        }
        let gone = inner.nodes.iter();
        let gone = gone.filter(|(id, node)| !there.contains(id) && node.changed_at <= changes);
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        for node in &gone {
            inner.remove(*node);
        }
        (unknown, gone)
    }

    /// Takes over the rows of these nodes, as they were read after this count of changes. Gives the nodes
    /// whose session is another now, and those that are gone: their held calls are over.
    pub(in crate::store) fn take_over(
        &self,
        nodes: &[NodeId],
        rows: Vec<Row>,
        changes: u64,
    ) -> Vec<NodeId> {
        let mut inner = self.0.lock();
        let mut over = Vec::new();
        let there: HashSet<_> = rows.iter().map(|row| row.known.id).collect();
        for node in nodes.iter().filter(|node| !there.contains(node)) {
            let is_ours = |node: &Node| node.changed_at > changes;
            if inner.nodes.get(node).is_some_and(|node| !is_ours(node)) {
                inner.remove(*node);
                over.push(*node);
            }
        }
        for row in rows {
            over.extend(inner.take_over(row, changes));
        }
        over
    }

    /// Takes over who is dismissed, and whose certificates are of nodes.
    pub(in crate::store) fn take_over_people(
        &self,
        dismissed: HashSet<PublicKey>,
        certificates: HashSet<String>,
        changes: u64,
    ) {
        let mut inner = self.0.lock();
        if inner.changes == changes {
            inner.dismissed = dismissed;
            inner.certificates = certificates;
        }
    }

    /// Takes over which tasks have begun, as they were read after this count of changes.
    pub(in crate::store) fn take_over_tasks(&self, begun: &[Begun], changes: u64, now: Timestamp) {
        let mut inner = self.0.lock();
        let there: HashSet<_> = begun.iter().map(|begun| begun.task.id).collect();
        let is_over =
            |task: &TaskId, lease: &Lease| !there.contains(task) && lease.began_at <= changes;
        inner.tasks.retain(|task, lease| !is_over(task, lease));
        for begun in begun {
            match inner.tasks.get_mut(&begun.task.id) {
                Some(lease) if lease.began_at > changes => {}
                Some(lease) if lease.is_of(begun) => {
                    lease.starting_at = begun.starting_at;
                    lease.see(begun.alive_until);
                }
                _ => {
                    let lease = Lease::read(begun, changes, now);
                    inner.tasks.insert(begun.task.id, lease);
                }
            }
        }
    }

    /// Another SuperLink has heard the process of the run until then.
    pub(in crate::store) fn run_lives_elsewhere(&self, run: RunId, until: Timestamp) {
        let mut inner = self.0.lock();
        for lease in inner.tasks.values_mut().filter(|lease| lease.run == run) {
            lease.see(Some(until));
        }
    }

    /// Whether the process of the run, which by its row counts as alive until then, may be alive at `now`
    /// for what another SuperLink has heard.
    pub(in crate::store) fn may_live_elsewhere(
        &self,
        run: RunId,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let inner = self.0.lock();
        let mut leases = inner.tasks.values().filter(|lease| lease.run == run);
        let is_own = leases.any(|lease| lease.own_row() == Some(until));
        !is_own && until + LATE >= now
    }

    /// The database was away for so many seconds before `now`. Whoever had time left then has time to give a
    /// sign of life again: another SuperLink may have heard one, and could not write it.
    pub(in crate::store) fn return_after(&self, seconds: f64, now: Timestamp) {
        let mut inner = self.0.lock();
        for node in inner.nodes.values_mut() {
            node.return_after(seconds, now);
        }
        for lease in inner.tasks.values_mut() {
            lease.return_after(seconds, now);
        }
    }
}

impl Inner {
    /// Gives the node if its session is another now.
    fn take_over(&mut self, row: Row, changes: u64) -> Option<NodeId> {
        let id = row.known.id;
        if row.known.owner.is_some() {
            // A person has registered the key.
            self.dismissed.remove(&row.known.key);
        }
        let Some(node) = self.nodes.get_mut(&id) else {
            if self.removed_at <= changes {
                self.add(row.known, row.heard, row.edition);
                self.rows += 1;
            }
            return None;
        };
        if node.changed_at > changes {
            return None;
        }
        // An earlier one where a failover has taken back what was committed last.
        let is_over = node.known.session != row.known.session;
        let seen = row.seen();
        let mut before = self.remove(id)?;
        self.add(row.known, row.heard, row.edition);
        let node = self.nodes.get_mut(&id)?;
        node.version = before.version + 1;
        if is_over {
            return Some(id);
        }
        // In the same session, memory may know later signs of life than the row.
        before.see(&seen);
        before.known = KnownNode {
            activated_at: before.known.activated_at,
            deactivated_at: before.known.deactivated_at,
            online_until: before.known.online_until,
            ..node.known.clone()
        };
        before.version = node.version;
        before.edition = node.edition;
        before.changed_at = node.changed_at;
        before.nothing_at = None;
        *node = before;
        None
    }
}
