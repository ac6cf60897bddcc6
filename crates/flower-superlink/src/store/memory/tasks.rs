//! Tasks: who may work on each, and in which process.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use flwr_core::id::{RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;

use super::run::RunState;
use super::{Inner, MemoryState};
use crate::link::state::{self, APP_FIRST_CONTACT, Changed, Claim, Process, StateResult, Written};
use crate::link::wake::Topic;

#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<TaskId, TaskState>,
    /// The tasks that are claimed, by the hashes of their tokens.
    by_token: HashMap<ObjectId, TaskId>,
}

#[derive(Debug)]
struct TaskState {
    task: Task,
    claim: Option<Claim>,
    process: Option<Process>,
    /// When the run is lost, should the process give no further sign of life. `None`: the run has
    /// not begun, or is over.
    lost_at: Option<Timestamp>,
}

impl Tasks {
    pub(super) fn add(&mut self, task: Task) {
        let state = TaskState {
            task,
            claim: None,
            process: None,
            lost_at: None,
        };
        self.tasks.insert(task.id, state);
    }

    /// The task of the run.
    fn of_run(&mut self, run: RunId) -> Option<&mut TaskState> {
        self.tasks.get_mut(&TaskId::of_serverapp(run))
    }

    /// The run has begun; the process of its ServerApp is lost at `lost_at`.
    pub(super) fn run_began(&mut self, run: RunId, lost_at: Timestamp) {
        if let Some(state) = self.of_run(run) {
            state.lost_at = Some(lost_at);
        }
    }

    /// The run is over, or begins again: nobody works on it any more.
    pub(super) fn run_ended(&mut self, run: RunId) {
        if let Some(state) = self.of_run(run) {
            state.lost_at = None;
        }
        self.revoke(TaskId::of_serverapp(run));
    }

    /// No process works on the run any more.
    pub(super) fn forget_process(&mut self, run: RunId) {
        if let Some(state) = self.of_run(run) {
            state.process = None;
        }
    }

    pub(super) fn forget_run(&mut self, run: RunId) {
        self.tasks.remove(&TaskId::of_serverapp(run));
    }

    pub(super) fn has_process(&self, run: RunId) -> bool {
        let state = self.tasks.get(&TaskId::of_serverapp(run));
        state.is_some_and(|state| state.process.is_some())
    }

    pub(super) fn move_leases(&mut self, seconds: f64) {
        for state in self.tasks.values_mut() {
            state.lost_at = state.lost_at.map(|lost_at| lost_at + seconds);
            state.task.claimed_at = state.task.claimed_at.map(|at| at + seconds);
        }
    }

    pub(super) fn extend_leases(&mut self, since: Timestamp, seconds: f64) {
        for state in self.tasks.values_mut() {
            let extended = |moment: Timestamp| moment + if moment > since { seconds } else { 0.0 };
            state.lost_at = state.lost_at.map(extended);
            state.task.claimed_at = state.task.claimed_at.map(|at| at + seconds);
        }
    }

    pub(super) fn lost_runs(&self, now: Timestamp) -> Vec<RunId> {
        let is_lost = |state: &&TaskState| state.lost_at.is_some_and(|lost_at| lost_at < now);
        let lost = self.tasks.values().filter(is_lost);
        lost.map(|state| state.task.run).collect()
    }

    fn revoke(&mut self, task: TaskId) {
        let Some(state) = self.tasks.get_mut(&task) else {
            return;
        };
        state.task.claimed_at = None;
        if let Some(claim) = state.claim.take() {
            self.by_token.remove(&claim.token);
        }
    }
}

impl Inner {
    fn claim_task(
        &mut self,
        task: TaskId,
        token: ObjectId,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let Some(state) = self.tasks.tasks.get_mut(&task) else {
            return Ok(false);
        };
        let run = self.runs.get(&state.task.run);
        run.map_or(Ok(()), RunState::require_unfinished)?;
        if state.task.claimed_at.is_some() {
            return Ok(false);
        }
        state.task.claimed_at = Some(now);
        state.claim = Some(Claim {
            token,
            holder: None,
        });
        self.tasks.by_token.insert(token, task);
        Ok(true)
    }

    /// Drops the tokens of pending runs that nobody used in time. Whether there were any.
    pub(super) fn drop_unused_tokens(&mut self, now: Timestamp) -> bool {
        let is_unused = |state: &&TaskState| {
            let claimed = state.task.claimed_at;
            claimed.is_some_and(|at| now.since(at) >= APP_FIRST_CONTACT)
                && state.process.is_none()
                && self.pending.contains(&state.task.run)
        };
        let Tasks { tasks, by_token } = &self.tasks;
        let claimed = by_token.values().filter_map(|task| tasks.get(task));
        let unused = claimed.filter(is_unused);
        let unused: Vec<_> = unused.map(|state| state.task.id).collect();
        for task in &unused {
            self.tasks.revoke(*task);
        }
        !unused.is_empty()
    }
}

#[async_trait]
impl state::Tasks for MemoryState {
    async fn waiting_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>> {
        let inner = self.0.lock();
        let mut runs: Vec<_> = inner
            .pending
            .iter()
            .filter_map(|id| inner.runs.get(id))
            .collect();
        runs.sort_by_key(|run| run.run().pending_at);
        let ids = runs
            .into_iter()
            .map(|run| TaskId::of_serverapp(run.run().id));
        let tasks = ids.filter_map(|id| inner.tasks.tasks.get(&id));
        let tasks = tasks.map(|state| state.task);
        Ok(tasks.filter(|task| task.kind == kind).collect())
    }

    async fn claim_task(&self, task: TaskId, token: ObjectId, now: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().claim_task(task, token, now)?)
    }

    async fn task_of_token(&self, token: ObjectId) -> StateResult<Task> {
        let inner = self.0.lock();
        let task = inner.tasks.by_token.get(&token);
        let state = task.and_then(|task| inner.tasks.tasks.get(task));
        Ok(state.ok_or(Refusal::UnknownToken)?.task)
    }

    async fn claim_of(&self, task: TaskId) -> StateResult<Option<Claim>> {
        let inner = self.0.lock();
        let state = inner.tasks.tasks.get(&task);
        Ok(state.and_then(|state| state.claim.clone()))
    }

    async fn note_holder(&self, task: TaskId, token: ObjectId, holder: String) -> StateResult<()> {
        let mut inner = self.0.lock();
        let state = inner.tasks.tasks.get_mut(&task);
        let claim = state.and_then(|state| state.claim.as_mut());
        if let Some(claim) = claim.filter(|claim| claim.token == token) {
            claim.holder = Some(holder);
        }
        Ok(())
    }

    async fn revoke_task(&self, task: TaskId) -> StateResult<()> {
        self.0.lock().tasks.revoke(task);
        Ok(())
    }

    async fn keep_task(&self, task: TaskId, until: Timestamp) -> StateResult<bool> {
        let mut inner = self.0.lock();
        let state = inner.tasks.tasks.get_mut(&task);
        let lost_at = state.and_then(|state| state.lost_at.as_mut());
        Ok(lost_at.map(|lost_at| *lost_at = until).is_some())
    }

    async fn set_process(&self, task: TaskId, process: Option<Process>) -> Written<()> {
        let mut inner = self.0.lock();
        let mut changed = Changed::default();
        if let Some(state) = inner.tasks.tasks.get_mut(&task) {
            let has_ended = process.is_none();
            state.process = process;
            let topic = Topic::Run(state.task.run);
            changed.wake.extend(has_ended.then_some(topic));
        }
        Ok(((), changed))
    }

    async fn processes(&self) -> StateResult<Vec<(Task, Process)>> {
        let inner = self.0.lock();
        let tasks = inner.tasks.tasks.values();
        Ok(tasks
            .filter_map(|state| Some((state.task, state.process.clone()?)))
            .collect())
    }
}
