//! All runs.

use async_trait::async_trait;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::task::Task;
use flwr_core::time::Timestamp;

use super::run::RunState;
use super::{Inner, MemoryState};
use crate::link::state::{self, APP_FIRST_HEARTBEAT, Blob, Changed, StateResult, Traffic, Written};
use crate::link::wake::Topic;

impl Inner {
    pub(super) fn change_run(
        &mut self,
        run: RunId,
        to: RunStatus,
        now: Timestamp,
    ) -> Result<Vec<ObjectId>, Refusal> {
        let phase = to.phase;
        self.run(run)?.change(to, now)?;
        self.pending.remove(&run);
        match phase {
            Phase::Starting => self.tasks.run_began(run, now + APP_FIRST_HEARTBEAT),
            Phase::Finished(_) => {
                self.tasks.run_ended(run);
                return Ok(self.run(run)?.clear());
            }
            Phase::Pending | Phase::Running => {}
        }
        Ok(Vec::new())
    }
}

#[async_trait]
impl state::Runs for MemoryState {
    async fn create_run(&self, run: Run, context: Context, _: Option<Blob>) -> Written<()> {
        let (id, is_pending) = (run.id, run.status.phase == Phase::Pending);
        let starting_at = run.starting_at;
        let mut inner = self.0.lock();
        inner.runs.insert(id, RunState::new(run, context));
        inner.tasks.add(Task::of_serverapp(id));
        if let Some(starting_at) = starting_at {
            inner.tasks.run_began(id, starting_at + APP_FIRST_HEARTBEAT);
        }
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

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()> {
        let freed = self.0.lock().change_run(run, to, now)?;
        let wake = vec![Topic::Run(run), Topic::Log(run)];
        Ok(((), Changed { freed, wake }))
    }

    async fn rewind_run(&self, run: RunId) -> Written<()> {
        let mut inner = self.0.lock();
        let freed = inner.run(run)?.rewind()?;
        inner.pending.insert(run);
        inner.tasks.run_ended(run);
        inner.tasks.forget_process(run);
        let wake = vec![Topic::Run(run), Topic::Log(run), Topic::Pending];
        Ok(((), Changed { freed, wake }))
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        Ok(self.0.lock().run(run)?.context.clone())
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.0.lock().running(run)?.context = context;
        Ok(())
    }

    fn add_traffic(&self, run: RunId, more: Traffic) {
        if let Ok(state) = self.0.lock().run(run) {
            state.traffic += more;
        }
    }

    async fn traffic(&self, run: RunId) -> StateResult<Traffic> {
        Ok(self.0.lock().run(run)?.traffic)
    }

    async fn all_traffic(&self) -> StateResult<Vec<(RunId, Traffic)>> {
        let inner = self.0.lock();
        let runs = inner.runs.iter();
        Ok(runs.map(|(run, state)| (*run, state.traffic)).collect())
    }
}
