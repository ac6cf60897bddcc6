//! What must not be forgotten of tasks: who may work on each, and in which process.

use async_trait::async_trait;
use flwr_core::id::TaskId;
use flwr_core::object::ObjectId;
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;

use super::{StateResult, Written};

/// Seconds for a ServerApp process from its inputs to its first sign of life. Python takes a second or
/// two; a machine under load, more.
pub const APP_FIRST_HEARTBEAT: f64 = 120.0;
/// Seconds for a ServerApp process from its token to its inputs, where nobody watches the process. It
/// may have to import much before its first call.
pub const APP_FIRST_CONTACT: f64 = 600.0;

/// A process of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The name of the machine that the process is on; empty if an earlier program noted none.
    pub host: String,
    /// The process on this machine.
    pub identity: Identity,
}

/// The right to work on a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The hash of the token.
    pub token: ObjectId,
    /// From where the holder of the token calls, as text. `None`: nobody has shown the token.
    pub holder: Option<String>,
}

/// Tasks, with their tokens and processes. Creating a run creates the task of its ServerApp in the
/// same write, and finishing a run ends the task: there is no run without its task.
#[async_trait]
pub trait Tasks {
    /// The tasks of this kind whose run is pending, oldest first. What it costs depends on their
    /// number only.
    async fn waiting_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>>;

    /// Those of them that an earlier start of this SuperLink has claimed, or may have: whoever got the
    /// token then, and whose process is not noted, is gone.
    async fn left_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>> {
        self.waiting_tasks(kind).await
    }

    /// Makes this the token of the task, by its hash. False if somebody has claimed the task, or it
    /// is not known. A token that nobody uses for [`APP_FIRST_CONTACT`] expires: whoever was
    /// given it did not get as far as to begin. It does not expire while the process of the task is
    /// noted, since that process is watched.
    ///
    /// # Behavior
    /// - the run is finished: refused with [`Refusal::RunIs`](flwr_core::refusal::Refusal::RunIs)
    async fn claim_task(&self, task: TaskId, token: ObjectId, now: Timestamp) -> StateResult<bool>;

    /// The task that the token with this hash stands for; else
    /// [`Refusal::UnknownToken`](flwr_core::refusal::Refusal::UnknownToken).
    async fn task_of_token(&self, token: ObjectId) -> StateResult<Task>;

    /// The right to work on the task. `None`: nobody has claimed the task, or it is not known.
    async fn claim_of(&self, task: TaskId) -> StateResult<Option<Claim>>;

    /// Notes from where the holder of this token calls. Nothing happens if the token is not the
    /// task's any more.
    async fn note_holder(&self, task: TaskId, token: ObjectId, holder: String) -> StateResult<()>;

    /// Makes the task's token invalid. The task can be claimed again.
    async fn revoke_task(&self, task: TaskId) -> StateResult<()>;

    /// The task's process lives: without another sign its run is lost at `until`. False unless the
    /// run is starting or running.
    async fn keep_task(&self, task: TaskId, until: Timestamp) -> StateResult<bool>;

    /// Notes the process of the task, or that the task has none any more. Unknown: nothing happens.
    async fn set_process(&self, task: TaskId, process: Option<Process>) -> Written<()>;

    /// The processes that this SuperLink has noted, each with its task.
    async fn processes(&self) -> StateResult<Vec<(Task, Process)>>;
}
