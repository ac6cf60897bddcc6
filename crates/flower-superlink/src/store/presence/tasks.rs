//! The processes of runs that have begun: until when each counts as alive.

use flwr_core::id::{RunId, TaskId};
use flwr_core::time::Timestamp;

use super::Presence;
use super::others::{Begun, LATE};
use crate::link::state::{APP_FIRST_HEARTBEAT, RETURN};

/// Until when the process of a task counts as alive. As for nodes, another SuperLink that wrote the time may
/// have heard more since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) run: RunId,
    /// When the run began. `None`: not known yet.
    pub(super) starting_at: Option<Timestamp>,
    pub(super) lost_at: Timestamp,
    /// Signs of life came that are not written.
    pub(super) is_unwritten: bool,
    /// What [`Inner::changes`](super::Inner::changes) was when the lease began here.
    pub(super) began_at: u64,
    /// The last sign of life is one that another SuperLink heard.
    is_elsewhere: bool,
    /// What the row had when this SuperLink last read or wrote the row.
    row: Option<Timestamp>,
    /// This SuperLink has written that.
    is_row_own: bool,
}

/// Until when the process of a task counts as alive.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct TaskSign {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) until: Timestamp,
    /// As for nodes.
    pub(in crate::store) own_row: Option<Timestamp>,
}

impl Lease {
    /// The lease of a run that begins here at `starting_at`, or that an earlier SuperLink began.
    pub(super) const fn new(
        run: RunId,
        starting_at: Option<Timestamp>,
        lost_at: Timestamp,
        began_at: u64,
    ) -> Self {
        Self {
            run,
            starting_at,
            lost_at,
            is_unwritten: false,
            began_at,
            is_elsewhere: false,
            row: None,
            is_row_own: false,
        }
    }

    /// The lease of a run that began elsewhere. Without a sign of life, the run has time for the first.
    pub(super) fn read(begun: &Begun, began_at: u64, now: Timestamp) -> Self {
        let lost_at = begun.alive_until.unwrap_or(now + APP_FIRST_HEARTBEAT);
        Self {
            is_elsewhere: true,
            row: begun.alive_until,
            ..Self::new(begun.task.run, begun.starting_at, lost_at, began_at)
        }
    }

    /// Whether the lease is of the run as it began last. Elsewhere, the run may have begun again.
    pub(super) fn is_of(&self, begun: &Begun) -> bool {
        let mine = self.starting_at;
        mine.is_none_or(|at| begun.starting_at == Some(at))
    }

    fn ends_at(&self) -> Timestamp {
        match self.is_elsewhere {
            true => self.lost_at + LATE,
            false => self.lost_at,
        }
    }

    const fn keep(&mut self, until: Timestamp) {
        self.lost_at = until;
        self.is_elsewhere = false;
        self.is_unwritten = true;
    }

    /// What the row has, if this SuperLink has written that.
    pub(super) fn own_row(&self) -> Option<Timestamp> {
        self.row.filter(|_| self.is_row_own)
    }

    /// What is to be written. What another SuperLink has heard is not this one's to write.
    pub(super) fn sign(&self, task: TaskId) -> Option<TaskSign> {
        (self.is_unwritten && !self.is_elsewhere).then(|| TaskSign {
            task,
            until: self.lost_at,
            own_row: self.own_row(),
        })
    }

    /// This sign of life was written.
    pub(super) fn sign_is_written(&mut self, sign: &TaskSign) {
        self.is_unwritten &= self.lost_at != sign.until;
        if self.row != Some(sign.until) {
            self.row = Some(sign.until);
            self.is_row_own = true;
        }
    }

    /// Takes in what another SuperLink may have written.
    pub(super) fn see(&mut self, alive_until: Option<Timestamp>) {
        let before = std::mem::replace(&mut self.row, alive_until);
        let Some(until) = alive_until.filter(|_| alive_until != before) else {
            return;
        };
        self.is_row_own = false;
        if self.is_elsewhere || until > self.lost_at {
            self.lost_at = until;
            self.is_elsewhere = true;
        }
    }

    pub(super) fn move_by(&mut self, seconds: f64) {
        if !self.is_elsewhere || seconds > 0.0 {
            self.lost_at = self.lost_at + seconds;
        }
        // Of a run that gave no sign of life there is nothing to write.
        self.is_unwritten |= !self.is_elsewhere && self.row.is_some();
    }

    pub(super) fn extend(&mut self, since: Timestamp, seconds: f64) {
        if self.ends_at() > since {
            self.move_by(seconds);
        }
    }

    pub(super) fn return_after(&mut self, seconds: f64, now: Timestamp) {
        if self.ends_at() > now + -seconds {
            self.lost_at = self.lost_at.max(now + RETURN);
        }
    }
}

impl Presence {
    /// The run begins at `starting_at`.
    pub(in crate::store) fn run_began(&self, run: RunId, starting_at: Timestamp) {
        let task = TaskId::of_serverapp(run);
        let mut inner = self.0.lock();
        inner.changes += 1;
        let lost_at = starting_at + APP_FIRST_HEARTBEAT;
        let lease = Lease::new(run, Some(starting_at), lost_at, inner.changes);
        inner.tasks.insert(task, lease);
    }

    pub(in crate::store) fn run_ended(&self, run: RunId) {
        self.0.lock().tasks.retain(|_, lease| lease.run != run);
    }

    /// False unless the task's run has begun and is not over.
    pub(in crate::store) fn keep_task(&self, task: TaskId, until: Timestamp) -> bool {
        let mut inner = self.0.lock();
        let lease = inner.tasks.get_mut(&task);
        lease.map(|lease| lease.keep(until)).is_some()
    }

    pub(in crate::store) fn lost_runs(&self, now: Timestamp) -> Vec<RunId> {
        let inner = self.0.lock();
        let lost = inner.tasks.values().filter(|lease| lease.ends_at() < now);
        lost.map(|lease| lease.run).collect()
    }
}
