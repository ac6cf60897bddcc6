//! Signs of life that are not written yet.

use flwr_core::id::TaskId;
use flwr_core::time::Timestamp;

use super::Presence;
use super::node::Node;
use crate::link::state::KnownNode;

/// Seconds between two writings of who is online.
pub(in crate::store) const WRITE_EVERY: f64 = 30.0;

/// Signs of life that are to be written.
#[derive(Debug, Default)]
pub(in crate::store) struct Signs {
    pub(in crate::store) nodes: Vec<NodeSign>,
    pub(in crate::store) tasks: Vec<TaskSign>,
}

/// What signs of life have changed of a node.
#[derive(Debug)]
pub(in crate::store) struct NodeSign {
    pub(in crate::store) node: KnownNode,
    /// Whether the node was heard in its session.
    pub(in crate::store) heard: bool,
    /// What this SuperLink has written, if it knows of no other writer. A row that is still so may be lowered:
    /// by a clock that was set back, or a node that announces shorter intervals.
    pub(in crate::store) own_row: Option<Timestamp>,
}

/// Until when the process of a task counts as alive.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct TaskSign {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) until: Timestamp,
    /// As for nodes.
    pub(in crate::store) own_row: Option<Timestamp>,
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
