//! All runs, and the tokens of those that are not finished.

use async_trait::async_trait;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;

use super::run::RunState;
use super::{Inner, MemoryState};
use crate::link::state::{self, APP_FIRST_HEARTBEAT, Changed, StateResult, Written};
use crate::link::wake::Topic;

impl Inner {
    pub(super) fn change_run(
        &mut self,
        run: RunId,
        to: RunStatus,
        now: Timestamp,
    ) -> Result<Vec<ObjectId>, Refusal> {
        let state = self.run(run)?;
        let finished = to.phase.is_finished();
        state.change(to, now)?;
        self.pending.remove(&run);
        if !finished {
            return Ok(Vec::new());
        }
        let freed = self.run(run)?.clear();
        self.tokens.retain(|_, (owner, _)| *owner != run);
        Ok(freed)
    }

    /// Whether there were any.
    pub(super) fn drop_unused_tokens(&mut self, now: Timestamp) -> bool {
        let Self { runs, tokens, .. } = self;
        let before = tokens.len();
        tokens.retain(|_, (run, issued)| {
            let pending = runs.get(run).is_some_and(RunState::is_pending);
            !pending || now.since(*issued) < APP_FIRST_HEARTBEAT
        });
        tokens.len() < before
    }
}

#[async_trait]
impl state::Runs for MemoryState {
    async fn create_run(&self, run: Run, context: Context) -> Written<()> {
        let (id, is_pending) = (run.id, run.status.phase == Phase::Pending);
        let mut inner = self.0.lock();
        inner.runs.insert(id, RunState::new(run, context));
        if !is_pending {
            return Ok(((), Changed::default()));
        }
        inner.pending.insert(id);
        Ok(((), Changed::wake([Topic::Pending])))
    }

    async fn run(&self, run: RunId) -> StateResult<Option<Run>> {
        Ok(self
            .0
            .lock()
            .runs
            .get(&run)
            .map(|state| state.run().clone()))
    }

    async fn runs(&self) -> StateResult<Vec<Run>> {
        let mut runs: Vec<_> = self
            .0
            .lock()
            .runs
            .values()
            .map(|state| state.run().clone())
            .collect();
        runs.sort_by_key(|run| run.pending_at);
        Ok(runs)
    }

    async fn pending_runs(&self) -> StateResult<Vec<RunId>> {
        let inner = self.0.lock();
        let pending = inner.pending.iter().filter_map(|id| inner.runs.get(id));
        let mut pending: Vec<_> = pending.map(RunState::run).collect();
        pending.sort_by_key(|run| run.pending_at);
        Ok(pending.into_iter().map(|run| run.id).collect())
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()> {
        let freed = self.0.lock().change_run(run, to, now)?;
        let wake = vec![Topic::Run(run), Topic::Log(run)];
        Ok(((), Changed { freed, wake }))
    }

    async fn rewind_run(&self, run: RunId) -> Written<()> {
        let mut inner = self.0.lock();
        let freed = inner.run(run)?.rewind()?;
        inner.pending.insert(run);
        inner.tokens.retain(|_, (owner, _)| *owner != run);
        let wake = vec![Topic::Run(run), Topic::Log(run), Topic::Pending];
        Ok(((), Changed { freed, wake }))
    }

    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool> {
        Ok(self.0.lock().run(run)?.keep(until))
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        Ok(self.0.lock().run(run)?.context.clone())
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.0.lock().running(run)?.context = context;
        Ok(())
    }

    async fn set_app(&self, run: RunId, app: Option<Identity>) -> Written<()> {
        let has_ended = app.is_none();
        self.0.lock().run(run)?.app = app;
        let mut changed = Changed::default();
        changed.wake.extend(has_ended.then_some(Topic::Run(run)));
        Ok(((), changed))
    }

    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>> {
        let inner = self.0.lock();
        let runs = inner.runs.iter();
        Ok(runs
            .filter_map(|(id, run)| Some((*id, run.app.clone()?)))
            .collect())
    }

    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()> {
        let mut inner = self.0.lock();
        inner.run(run)?.require_unfinished()?;
        if inner.tokens.values().any(|(owner, _)| *owner == run) {
            return Err(Refusal::HasToken(run).into());
        }
        inner.tokens.insert(token, (run, now));
        Ok(())
    }

    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId> {
        let inner = self.0.lock();
        let (run, _) = inner.tokens.get(&token).ok_or(Refusal::UnknownToken)?;
        Ok(*run)
    }

    async fn revoke_token(&self, run: RunId) -> StateResult<()> {
        self.0.lock().tokens.retain(|_, (owner, _)| *owner != run);
        Ok(())
    }
}
