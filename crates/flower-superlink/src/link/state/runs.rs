//! What must not be forgotten of runs, and of their ServerApps' processes and tokens.

use async_trait::async_trait;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;

use super::{StateResult, Written};

/// Seconds for a ServerApp process from its token to its inputs, and from those to its first
/// sign of life. Python takes a second or two; a machine under load, more.
pub const APP_FIRST_HEARTBEAT: f64 = 120.0;

/// Runs, with the processes and tokens of their ServerApps.
#[async_trait]
pub trait Runs {
    /// Adds a run, pending or starting, with the Context that its ServerApp starts from.
    async fn create_run(&self, run: Run, context: Context) -> Written<()>;

    /// The run, if it is known.
    async fn run(&self, run: RunId) -> StateResult<Option<Run>>;

    /// All runs, oldest first.
    async fn runs(&self) -> StateResult<Vec<Run>>;

    /// The pending runs, oldest first. What it costs depends on their number only.
    async fn pending_runs(&self) -> StateResult<Vec<RunId>>;

    /// Moves the run on. A run that begins has [`APP_FIRST_HEARTBEAT`] to give a sign of life. A finished
    /// run's messages, tokens and objects are gone.
    ///
    /// # Behavior
    /// - a step that runs do not take: refused with [`Refusal::Transition`](super::Refusal::Transition)
    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()>;

    /// Sets an unfinished run back to its beginning: pending, with its first Context and without
    /// messages, objects and token. Once in a run's life; then [`Refusal::ResumedBefore`](super::Refusal::ResumedBefore).
    async fn rewind_run(&self, run: RunId) -> Written<()>;

    /// The ServerApp lives: without another sign the run is lost at `until`. False unless the
    /// run is starting or running.
    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool>;

    /// The ServerApp's Context.
    async fn context(&self, run: RunId) -> StateResult<Context>;

    /// Replaces the ServerApp's Context; the run must be running.
    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()>;

    /// Notes the process that the run's ServerApp runs in, or that it does so no more.
    async fn set_app(&self, run: RunId, app: Option<Identity>) -> Written<()>;

    /// The processes that are noted.
    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>>;

    /// Makes this the token of the run, by its hash. Refused with [`Refusal::HasToken`](super::Refusal::HasToken) if it
    /// has one, and if the run is finished. One that nobody uses for [`APP_FIRST_HEARTBEAT`] expires:
    /// whoever was given it did not get as far as to begin.
    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()>;

    /// The run that the token with this hash stands for; else [`Refusal::UnknownToken`](super::Refusal::UnknownToken).
    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId>;

    /// Makes the run's token invalid.
    async fn revoke_token(&self, run: RunId) -> StateResult<()>;
}
