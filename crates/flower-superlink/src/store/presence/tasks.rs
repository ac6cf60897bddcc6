//! The processes of runs that have begun: until when each counts as alive.

use flwr_core::id::{RunId, TaskId};
use flwr_core::time::Timestamp;

use super::{Lease, Presence};

impl Presence {
    /// The run has begun; the process of its ServerApp is lost at `lost_at`.
    pub(in crate::store) fn run_began(&self, run: RunId, lost_at: Timestamp) {
        let task = TaskId::of_serverapp(run);
        let mut inner = self.0.lock();
        inner.changes += 1;
        let lease = Lease::new(run, lost_at, inner.changes);
        inner.tasks.insert(task, lease);
    }

    pub(in crate::store) fn run_ended(&self, run: RunId) {
        self.0.lock().tasks.retain(|_, lease| lease.run != run);
    }

    /// False unless the task's run has begun and is not over.
    pub(in crate::store) fn keep_task(&self, task: TaskId, until: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let Some(lease) = inner.tasks.get_mut(&task) else {
            return false;
        };
        lease.lost_at = until;
        lease.is_unwritten = true;
        true
    }

    pub(in crate::store) fn lost_runs(&self, now: Timestamp) -> Vec<RunId> {
        let inner = self.0.lock();
        let lost = inner.tasks.values().filter(|lease| lease.lost_at < now);
        lost.map(|lease| lease.run).collect()
    }
}
