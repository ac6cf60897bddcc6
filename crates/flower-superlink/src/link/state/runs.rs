//! What must not be forgotten of runs.

use std::time::Duration;

use async_trait::async_trait;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;

use super::{Blob, StateResult, Written};

/// What a run has used. Of bytes, the content of objects is counted that the run's nodes and the SuperLink
/// have exchanged: nearly all of a run's bytes are there, and not in the messages about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// From nodes.
    pub received: u64,
    /// To nodes.
    pub sent: u64,
    /// The time of ClientApps, as far as their nodes tell.
    pub worked: Duration,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, more: Self) {
        self.received = self.received.saturating_add(more.received);
        self.sent = self.sent.saturating_add(more.sent);
        self.worked = self.worked.saturating_add(more.worked);
    }
}

impl std::ops::SubAssign for Traffic {
    fn sub_assign(&mut self, less: Self) {
        self.received = self.received.saturating_sub(less.received);
        self.sent = self.sent.saturating_sub(less.sent);
        self.worked = self.worked.saturating_sub(less.worked);
    }
}

/// Runs.
#[async_trait]
pub trait Runs {
    /// Adds a run, pending or starting, with the Context that its ServerApp starts from, and the
    /// task of its ServerApp. The bytes of its FAB, if it has one, stand at `fab`.
    async fn create_run(&self, run: Run, context: Context, fab: Option<Blob>) -> Written<()>;

    /// Where the bytes of a FAB stand that an unfinished run is made from. A state whose bytes have
    /// no names does not look.
    async fn fab_blob(&self, _hash: &str) -> StateResult<Option<Blob>> {
        Ok(Some(Blob::OfId))
    }

    /// The run, if it is known.
    async fn run(&self, run: RunId) -> StateResult<Option<Run>>;

    /// All runs, oldest first.
    async fn runs(&self) -> StateResult<Vec<Run>>;

    /// Moves the run on. A run that begins has [`APP_FIRST_HEARTBEAT`](super::APP_FIRST_HEARTBEAT)
    /// to give a sign of life. A finished run's messages, tokens and objects are gone.
    ///
    /// # Behavior
    /// - a step that runs do not take: refused with [`Refusal::Transition`](super::Refusal::Transition)
    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()>;

    /// Sets an unfinished run back to its beginning: pending, with its first Context and without
    /// messages, objects and token. Once in a run's life; then [`Refusal::ResumedBefore`](super::Refusal::ResumedBefore).
    async fn rewind_run(&self, run: RunId) -> Written<()>;

    /// The ServerApp's Context.
    async fn context(&self, run: RunId) -> StateResult<Context>;

    /// Replaces the ServerApp's Context; the run must be running.
    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()>;

    /// Adds to the traffic of a known run. As signs of life, this need not be on disk before the
    /// run finishes or the state is closed: a SuperLink that is killed forgets what was counted
    /// last.
    fn add_traffic(&self, run: RunId, more: Traffic);

    /// The run's traffic so far.
    async fn traffic(&self, run: RunId) -> StateResult<Traffic>;

    /// The traffic of all runs so far, each run once and in no order.
    async fn all_traffic(&self) -> StateResult<Vec<(RunId, Traffic)>>;
}
