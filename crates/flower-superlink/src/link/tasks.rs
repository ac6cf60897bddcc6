//! The task of each run's ServerApp. A ServerApp process claims its task with a token. Processes of
//! older releases have none: each gets the run that it was started for.

use std::collections::HashSet;

use flwr_core::context::Context;
use flwr_core::id::{RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::port::runtime::Inputs;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, RunStatus};
use flwr_core::task::TaskKind;
use flwr_daemon::appio::Origin;
use flwr_daemon::apps::{Identity, Token};
use parking_lot::Mutex;

use super::Link;
use super::commit::Stores;
use super::state::{Claim, Process};
use crate::error::{Error, Result};
use crate::machine;

/// What this SuperLink knows of the processes of its ServerApps beside the state.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// The runs that processes will ask for that have no token, each with its process.
    expected: Mutex<Vec<(RunId, Identity)>>,
    /// Runs whose ServerApp has printed something since the link began.
    printed: Mutex<HashSet<RunId>>,
}

impl Processes {
    /// The ServerApp of the run prints. True the first time.
    pub(super) fn prints_first(&self, run: RunId) -> bool {
        self.printed.lock().insert(run)
    }

    /// The run is deleted.
    pub(super) fn forget(&self, run: RunId) {
        self.printed.lock().remove(&run);
    }
}

impl Link {
    /// Notes the process on this machine that a run's ServerApp runs in, or that it has ended.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn set_process(&self, run: RunId, process: Option<Identity>) -> Result<()> {
        let process = process.map(|identity| Process {
            host: machine::name(),
            identity,
        });
        let task = TaskId::of_serverapp(run);
        let noted = self.commit(move |Stores { state, .. }| async move {
            state.set_process(task, process).await
        });
        noted.await
    }

    /// The ServerApp processes that were started and whose end nobody has seen.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn processes(&self) -> Result<Vec<(RunId, Process)>> {
        let processes = self.state.processes().await?.into_iter();
        Ok(processes
            .map(|(task, process)| (task.run, process))
            .collect())
    }

    /// The pending runs whose tokens an earlier start of this SuperLink may have given away.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn left_runs(&self) -> Result<Vec<RunId>> {
        let left = self.state.left_tasks(TaskKind::ServerApp).await?;
        Ok(left.into_iter().map(|task| task.run).collect())
    }

    /// The pending runs for which nobody has a token, oldest first: whoever takes the first of a list is not
    /// kept from the others by a process that is slow to begin.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn unclaimed_runs(&self) -> Result<Vec<RunId>> {
        let waiting = self.state.waiting_tasks(TaskKind::ServerApp).await?;
        let unclaimed = waiting.into_iter().filter(|task| task.claimed_at.is_none());
        Ok(unclaimed.map(|task| task.run).collect())
    }

    /// The ServerApp gives a sign of life. False if its run is over. The process of a run that has
    /// not begun may give one before it asks for its inputs.
    ///
    /// # Errors
    /// If the run is not known, or the interval is none.
    pub async fn app_lives(&self, run: RunId, interval: f64) -> Result<bool> {
        let until = self.lease(interval)?;
        let lives = self
            .state
            .keep_task(TaskId::of_serverapp(run), until)
            .await?;
        // Else not begun, over, or not known: the last is refused. The lease of a run that begins in
        // this moment may not be there yet: some processes give signs of life before they pull
        // their inputs, and a process that is told that it is given up ends itself.
        Ok(lives || !self.known_run(run).await?.status.phase.is_finished())
    }

    /// The ServerApp is at work: a run that is starting is running from here on.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn app_works(&self, run: RunId) -> Result<()> {
        if self.known_run(run).await?.status.phase != Phase::Starting {
            return Ok(());
        }
        match self.change_run(run, RunStatus::plain(Phase::Running)).await {
            // Another call of the ServerApp came first.
            Err(Error::Refused(Refusal::Transition { .. })) => Ok(()),
            moved => moved,
        }
    }

    /// Makes the token of a run invalid: whoever had it is gone.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn revoke_token(&self, run: RunId) -> Result<()> {
        Ok(self.state.revoke_task(TaskId::of_serverapp(run)).await?)
    }

    /// Makes the token with which a ServerApp process asks for its run. `None`: there is one.
    ///
    /// # Errors
    /// If the run is not known or over.
    pub async fn issue_token(&self, run: RunId) -> Result<Option<Token>> {
        let token = Token::random().ok_or(Error::Random)?;
        let (task, hash) = (TaskId::of_serverapp(run), token_id(token.as_str()));
        if self.state.claim_task(task, hash, self.now()).await? {
            return Ok(Some(token));
        }
        // Claimed before, or not known: the latter is refused.
        self.known_run(run).await?;
        Ok(None)
    }

    /// The run that a token stands for.
    ///
    /// # Errors
    /// If it stands for none.
    pub async fn run_of_token(&self, token: &str) -> Result<RunId> {
        Ok(self.state.task_of_token(token_id(token)).await?.run)
    }

    /// Who may speak for a run's ServerApp. `None`: nobody, or not any more.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn claim_of(&self, run: RunId) -> Result<Option<Claim>> {
        Ok(self.state.claim_of(TaskId::of_serverapp(run)).await?)
    }

    /// Notes from where the holder of a run's token calls.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn note_holder(&self, run: RunId, token: ObjectId, from: &Origin) -> Result<()> {
        let task = TaskId::of_serverapp(run);
        Ok(self
            .state
            .note_holder(task, token, from.to_string())
            .await?)
    }

    /// This process will ask for this run, and has no token.
    pub fn expect(&self, run: RunId, process: Identity) {
        let mut expected = self.processes.expected.lock();
        expected.push((run, process));
    }

    /// No such process will ask for it any more.
    pub fn expect_no_more(&self, run: RunId) {
        self.processes
            .expected
            .lock()
            .retain(|(expected, _)| *expected != run);
    }

    /// The runs that processes without a token will ask for, in the order of their start.
    #[must_use]
    pub fn expected(&self) -> Vec<(RunId, Identity)> {
        self.processes.expected.lock().clone()
    }

    /// The process asks for its run. True once.
    #[must_use]
    pub fn take_expected(&self, run: RunId) -> bool {
        let mut expected = self.processes.expected.lock();
        let before = expected.len();
        expected.retain(|(expected, _)| *expected != run);
        expected.len() < before
    }

    /// Hands a ServerApp process its inputs. From here on its run is starting. A process whose
    /// answer was lost asks again, and is answered alike.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn inputs(&self, id: RunId) -> Result<Inputs> {
        let context = self.state.context(id).await?;
        let run = self.known_run(id).await?;
        let fab = match self.fab(&run.fab_hash).await {
            Ok(fab) => fab,
            // Without its FAB the run has failed. Its process hears that the run is over.
            Err(error) => match self.known_run(id).await?.status.phase {
                phase if phase.is_finished() => {
                    return Err(Refusal::RunIs { run: id, phase }.into());
                }
                _ => return Err(error),
            },
        };
        if !matches!(run.status.phase, Phase::Starting | Phase::Running) {
            self.change_run(id, RunStatus::plain(Phase::Starting))
                .await?;
        }
        Ok(Inputs {
            run: self.known_run(id).await?.into(),
            context,
            fab,
        })
    }

    /// Stores the Context that a ServerApp leaves behind. Its token stays until it has said how its
    /// run ended: a process whose answer was lost says everything again.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn keep_context(&self, run: RunId, context: Context) -> Result<()> {
        Ok(self.state.set_context(run, context).await?)
    }

    /// Stores the Context that a ServerApp leaves behind, if there is one, and ends its run. A process
    /// whose answer was lost says so again.
    ///
    /// # Errors
    /// If the run cannot end so from where it stands: only a running run is completed.
    pub async fn conclude_run(
        &self,
        run: RunId,
        context: Option<Context>,
        end: RunStatus,
    ) -> Result<()> {
        let (from, to) = (self.known_run(run).await?.status.phase, end.phase);
        if !from.is_finished() && !from.may_become(to) {
            return Err(Refusal::Transition { run, from, to }.into());
        }
        if let (Phase::Running, Some(context)) = (from, context) {
            self.keep_context(run, context).await?;
        }
        self.report_status(run, end).await
    }
}

/// Tokens are known by their hash: whoever reads the state learns none, and a look-up's time
/// tells nothing.
#[must_use]
pub fn token_id(token: &str) -> ObjectId {
    ObjectId::of(token.as_bytes())
}
