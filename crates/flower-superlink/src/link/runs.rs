//! Runs: started by a person, executed by a ServerApp process, watched to the end.

use std::sync::LazyLock;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::context::{Context, State};
use flwr_core::fab::Fab;
use flwr_core::id::{NodeId, RunId};
use flwr_core::quiet::Quiet;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, Run, RunStatus};
use flwr_daemon::apps::Token;
use tracing::{info, warn};

use super::Link;
use super::commit::Stores;
use super::permission::Principal;
use super::state::{Blob, StateError, Traffic, begins_again, own_line};
use crate::error::{Error, Result};

/// Limits the log lines of ignored statuses, which an app may send without end.
static IGNORED: LazyLock<Quiet<RunId>> = LazyLock::new(Quiet::default);

impl Link {
    /// Starts a run of the app in this FAB, with `overrides` in place of its own configuration. It
    /// belongs to the principal.
    ///
    /// # Errors
    /// If the FAB does not hold what it says, or the app has no such configuration.
    pub async fn start_run(
        &self,
        fab: Bytes,
        overrides: UserConfig,
        principal: &Principal,
    ) -> Result<RunId> {
        let (mut run, fab) = self.accept_run(fab, overrides).await?;
        run.account = principal.account().to_owned();
        let id = run.id;
        self.create_run(run, Some(fab)).await?;
        Ok(id)
    }

    /// Starts a run of the app in this FAB whose ServerApp process the caller starts, and makes the
    /// token for it. `overrides` replace the app's own configuration.
    ///
    /// # Errors
    /// If the FAB does not hold what it says, or the app has no such configuration.
    pub async fn start_run_outside(
        &self,
        fab: Bytes,
        overrides: UserConfig,
    ) -> Result<(RunId, Token)> {
        let (mut run, fab) = self.accept_run(fab, overrides).await?;
        let id = run.id;
        // It never is pending, or our own launcher would start a process for it.
        run.status = RunStatus::plain(Phase::Starting);
        run.starting_at = Some(run.pending_at);
        self.create_run(run, Some(fab)).await?;
        let token = self.issue_token(id).await?;
        Ok((id, token.ok_or(Refusal::HasToken(id))?))
    }

    /// Starts a run whose ServerApp is running somewhere already, of which nothing is known but what
    /// it says of itself; its bundle, if it has one, is for the nodes.
    ///
    /// # Errors
    /// If the FAB does not hold what it says.
    pub async fn start_run_of_a_stranger(
        &self,
        (fab_id, fab_version): (String, String),
        fab: Option<Bytes>,
        overrides: UserConfig,
    ) -> Result<RunId> {
        let (mut run, fab) = match fab {
            Some(fab) => {
                let (run, fab) = self.accept_run(fab, overrides).await?;
                (run, Some(fab))
            }
            None => {
                self.require_space().await?;
                let run = Run {
                    fab_id,
                    fab_version,
                    ..self.new_run(overrides).await?
                };
                (run, None)
            }
        };
        let id = run.id;
        run.status = RunStatus::plain(Phase::Running);
        run.starting_at = Some(run.pending_at);
        run.running_at = Some(run.pending_at);
        self.create_run(run, fab).await?;
        Ok(id)
    }

    /// Stores a run whose FAB, if it has one, is kept already.
    async fn create_run(&self, run: Run, blob: Option<Blob>) -> Result<()> {
        let (fab, noted) = (run.fab_hash.parse(), blob.clone());
        let nothing = UserConfig::new();
        let (run_config, node_config) = ((run.id, &nothing), (NodeId::UNSET, &nothing));
        let context = Context::new(run_config, node_config, State::default());
        info!(run_id = %run.id, fab_id = %run.fab_id, fab_hash = %run.fab_hash, "run accepted");
        let created = self.commit(move |Stores { state, .. }| async move {
            state.create_run(run, context, noted).await
        });
        let created = created.await;
        if let (Err(error), Ok(fab), Some(blob)) = (&created, fab, blob) {
            self.discard_fab(&fab, &blob, error).await?;
        }
        created
    }

    pub(super) async fn pending_run(&self, fab: &Fab, overrides: UserConfig) -> Result<Run> {
        let run = self.new_run(overrides).await?;
        Ok(Run {
            fab_id: fab.fab_id(),
            fab_version: fab.manifest().version.clone(),
            fab_hash: fab.hash.clone(),
            ..run
        })
    }

    /// A pending run, of no app yet.
    async fn new_run(&self, overrides: UserConfig) -> Result<Run> {
        let mut id = RunId::from_random(random_id()?);
        while self.state.run(id).await?.is_some() {
            id = RunId::from_random(random_id()?);
        }
        Ok(Run {
            id,
            fab_id: String::new(),
            fab_version: String::new(),
            fab_hash: String::new(),
            account: String::new(),
            override_config: overrides,
            status: RunStatus::plain(Phase::Pending),
            pending_at: self.now(),
            starting_at: None,
            running_at: None,
            finished_at: None,
        })
    }

    /// Stops a run, wherever it stands. Its processes end when they notice.
    ///
    /// # Errors
    /// If the run is not known, or over already.
    pub async fn stop_run(&self, run: RunId) -> Result<()> {
        let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
        match self.change_run(run, stopped).await {
            Err(Error::Refused(Refusal::Transition { .. })) => {
                Err(Refusal::AlreadyFinished(run).into())
            }
            other => other,
        }
    }

    /// Moves a run on, and tells everybody who waits for it.
    ///
    /// # Errors
    /// If the run is not known, or cannot go there.
    pub async fn change_run(&self, run: RunId, to: RunStatus) -> Result<()> {
        let (phase, details) = (to.phase, to.details.clone());
        // A finished run may be deleted at any moment.
        let known = self.known_run(run).await?;
        let now = self.now();
        let moved =
            self.commit(
                move |Stores { state, .. }| async move { state.change_run(run, to, now).await },
            );
        moved.await?;
        info!(run_id = %run, %phase, details, "run moved on");
        if phase.is_finished() {
            self.run_ended(&known).await?;
        }
        Ok(())
    }

    /// Lets go of what a run needs no more that begins again.
    pub(super) fn has_been_set_back(&self, run: RunId) {
        self.pace.forget(run);
        self.waiting.forget(run);
    }

    /// Lets go of what a finished run needs no more.
    async fn run_ended(&self, known: &Run) -> Result<()> {
        let run = known.id;
        self.pace.forget(run);
        self.waiting.forget(run);
        // A finished run may be deleted already.
        if let Ok(Traffic { received, sent, .. }) = self.state.traffic(run).await {
            info!(run_id = %run, received, sent, "bytes of objects that the run's nodes pushed and pulled");
        }
        if let Ok(fab) = known.fab_hash.parse() {
            self.fabs.let_go(&fab).await?;
        }
        Ok(())
    }

    /// The same of several, of which some may be deleted already.
    pub(super) async fn have_ended(&self, runs: &[RunId]) -> Result<()> {
        for run in runs {
            if let Some(known) = self.run(*run).await? {
                self.run_ended(&known).await?;
            }
        }
        Ok(())
    }

    /// Sets an unfinished run back to its beginning and says so in its log. False where that
    /// happened to it before.
    ///
    /// # Errors
    /// If the run is not known or over.
    pub async fn begin_again(&self, run: RunId, why: &str) -> Result<bool> {
        let line = begins_again(why);
        let now = self.now();
        let rewound = self.commit(move |Stores { state, .. }| async move {
            let ((), mut changed) = state.rewind_run(run).await?;
            // The line stands in the log before the new process is woken, and prints its first.
            let logged = state.append_log(run, line, now).await;
            let logged = logged.map(|((), more)| changed.extend(more));
            Ok::<_, StateError>((logged, changed))
        });
        let logged = match rewound.await {
            Ok(logged) => logged,
            Err(Error::Refused(Refusal::ResumedBefore(_))) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.has_been_set_back(run);
        logged?;
        // What the process printed is in the run's log, not in ours.
        let why = why.lines().next().unwrap_or_default();
        warn!(run_id = %run, why, "the run begins again");
        Ok(true)
    }

    /// Fails the run, unless it is over already, and says why in its log.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn fail_run(&self, run: RunId, reason: &str) -> Result<()> {
        if self.known_run(run).await?.status.phase.is_finished() {
            return Ok(());
        }
        self.push_log(run, own_line(reason)).await?;
        match self.change_run(run, RunStatus::failed(reason)).await {
            // It was finished in this very moment by somebody else.
            Err(Error::Refused(_)) => Ok(()),
            other => other,
        }
    }

    /// As [`Self::change_run`], on behalf of a ServerApp process: a step that runs do not take is ignored, as
    /// Flower's SuperLink does, but a finished run says so.
    ///
    /// # Errors
    /// If the run is not known or finished.
    pub async fn report_status(&self, run: RunId, to: RunStatus) -> Result<()> {
        let current = self.known_run(run).await?.status.phase;
        if current == to.phase {
            // Said again, since the answer was lost.
            return Ok(());
        }
        if current.is_finished() {
            return Err(Refusal::RunIs {
                run,
                phase: current,
            }
            .into());
        }
        let to = self.with_cause(run, to).await?;
        match self.change_run(run, to).await {
            Err(Error::Refused(refusal @ Refusal::Transition { .. })) => {
                if let Some(more) = IGNORED.ask(run) {
                    warn!(run_id = %run, %refusal, more, "status ignored");
                }
                Ok(())
            }
            other => other,
        }
    }

    /// The run, if it is known.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn run(&self, run: RunId) -> Result<Option<Run>> {
        Ok(self.state.run(run).await?)
    }

    /// The run's traffic so far.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn traffic(&self, run: RunId) -> Result<Traffic> {
        Ok(self.state.traffic(run).await?)
    }

    /// The traffic of all runs so far.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn all_traffic(&self) -> Result<Vec<(RunId, Traffic)>> {
        Ok(self.state.all_traffic().await?)
    }

    /// The runs that the principal may look at, oldest first.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn runs(&self, principal: &Principal) -> Result<Vec<Run>> {
        let mut runs = self.state.runs().await?;
        runs.retain(|run| principal.may_touch(run).is_ok());
        Ok(runs)
    }

    /// The run, for somebody who wants to see or stop it.
    ///
    /// # Errors
    /// If it is not known, or not the principal's.
    pub async fn run_of(&self, principal: &Principal, run: RunId) -> Result<Run> {
        let run = self.known_run(run).await?;
        principal.may_touch(&run)?;
        Ok(run)
    }

    /// The run.
    ///
    /// # Errors
    /// If it is not known.
    pub async fn known_run(&self, run: RunId) -> Result<Run> {
        self.state
            .run(run)
            .await?
            .ok_or_else(|| Refusal::UnknownRun(run).into())
    }

    /// The run.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn require_running(&self, run: RunId) -> Result<Run> {
        let known = self.known_run(run).await?;
        match known.status.phase {
            Phase::Running => Ok(known),
            phase => Err(Refusal::RunIs { run, phase }.into()),
        }
    }

    /// Lets go of what is over by the clock, and tells those who wait for it.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn expire(&self) -> Result<()> {
        let now = self.now();
        // Before a run is lost: its log says first what else has happened.
        self.tell_events().await?;
        let expired =
            self.commit(move |Stores { state, .. }| async move { state.expire(now).await });
        let lost_runs = expired.await?;
        for run in &lost_runs {
            warn!(run_id = %run, "no heartbeat received from the run: it failed");
        }
        self.have_ended(&lost_runs).await?;
        self.tell_waiting().await;
        Ok(())
    }
}

pub(super) fn random_id() -> Result<[u8; 8]> {
    let mut id = [0; 8];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut id).map_err(|_| Error::Random)?;
    Ok(id)
}
