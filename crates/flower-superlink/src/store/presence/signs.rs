//! Signs of life that are not written yet.

use flwr_core::time::Timestamp;

use super::Presence;
use super::node::{Node, NodeSign};
use super::tasks::TaskSign;

/// Seconds between two writings of who is online.
pub(in crate::store) const WRITE_EVERY: f64 = 30.0;

/// Signs of life that are to be written.
#[derive(Debug, Default)]
pub(in crate::store) struct Signs {
    pub(in crate::store) nodes: Vec<NodeSign>,
    pub(in crate::store) tasks: Vec<TaskSign>,
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
        let tasks = inner.tasks.iter();
        Signs {
            nodes: nodes.map(Node::sign).collect(),
            tasks: tasks
                .filter_map(|(task, lease)| lease.sign(*task))
                .collect(),
        }
    }

    /// These signs of life were written at `now`.
    pub(in crate::store) fn written(&self, signs: &Signs, now: Timestamp) {
        let mut inner = self.0.lock();
        inner.written_at = Some(now);
        for sign in &signs.nodes {
            if let Some(node) = inner.nodes.get_mut(&sign.node.id) {
                node.sign_is_written(sign);
            }
        }
        for sign in &signs.tasks {
            if let Some(lease) = inner.tasks.get_mut(&sign.task) {
                lease.sign_is_written(sign);
            }
        }
    }
}
