//! Signs of life that are not written yet.

use flwr_core::id::TaskId;
use flwr_core::time::Timestamp;

use super::Presence;
use crate::link::state::KnownNode;

/// Seconds between two writings of who is online.
pub(in crate::store) const WRITE_EVERY: f64 = 30.0;

/// Signs of life that are to be written.
#[derive(Debug, Default)]
pub(in crate::store) struct Signs {
    /// Each node with whether it was heard in its session.
    pub(in crate::store) nodes: Vec<(KnownNode, bool)>,
    /// Until when the process of each task counts as alive.
    pub(in crate::store) tasks: Vec<(TaskId, Timestamp)>,
}

impl Presence {
    /// Whether it is time to write who is online, after so many seconds.
    pub(in crate::store) fn is_due(&self, now: Timestamp, every: f64) -> bool {
        let written_at = self.0.lock().written_at;
        written_at.is_none_or(|at| now.since(at) >= every)
    }

    /// The signs of life that are not written.
    pub(in crate::store) fn signs(&self) -> Signs {
        let inner = self.0.lock();
        let nodes = inner.nodes.values().filter(|node| node.is_unwritten);
        let tasks = inner.tasks.iter().filter(|(_, lease)| lease.is_unwritten);
        Signs {
            nodes: nodes.map(|node| (node.known.clone(), node.heard)).collect(),
            tasks: tasks.map(|(task, lease)| (*task, lease.lost_at)).collect(),
        }
    }

    /// These signs of life were written at `now`.
    pub(in crate::store) fn written(&self, signs: &Signs, now: Timestamp) {
        let mut inner = self.0.lock();
        inner.written_at = Some(now);
        for (known, heard) in &signs.nodes {
            if let Some(node) = inner.nodes.get_mut(&known.id) {
                let is_same = node.known.online_until == known.online_until && node.heard == *heard;
                node.is_unwritten &= !is_same;
            }
        }
        for (task, lost_at) in &signs.tasks {
            if let Some(lease) = inner.tasks.get_mut(task) {
                lease.is_unwritten &= lease.lost_at != *lost_at;
            }
        }
    }
}
