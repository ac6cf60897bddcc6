//! Which run needs a ServerApp process, and the care of that process to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_daemon::apps::{AppProcess, Exit, serverapp_command};
use flwr_daemon::stop::Stopper;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{Instrument, error, info, info_span};

use crate::error::{Error, Result};
use crate::link::Link;
use crate::link::state::StateError;
use crate::link::wake::Topic;

/// How long a ServerApp process whose run is over may take to end by itself: it flushes its log.
/// One whose run was stopped has nothing left to do, and would notice only at its next call.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long an ended process group may take from SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Starts a ServerApp process for each pending run.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// Where the runs are.
    pub link: Arc<Link>,
    /// `flwr-serverapp`.
    pub program: PathBuf,
    /// Where the processes find ServerAppIo.
    pub serverappio_address: String,
    /// Flower's home, for the processes.
    pub flwr_dir: Option<PathBuf>,
}

impl Launcher {
    /// Launches until it is time to stop, and then ends what it launched.
    pub async fn run(self, stopper: Stopper) {
        let mut apps = JoinSet::new();
        let listener = self.link.wake().listen(Topic::Pending);
        loop {
            let changed = listener.next();
            if let Err(error) = self.launch_pending(&mut apps, &stopper).await {
                error!(
                    error = &error as &dyn std::error::Error,
                    "no ServerApp could be launched"
                );
            }
            tokio::select! {
                () = changed => {}
                Some(_) = apps.join_next() => {}
                () = stopper.cancelled() => break,
            }
        }
        while apps.join_next().await.is_some() {}
    }

    async fn launch_pending(&self, apps: &mut JoinSet<()>, stopper: &Stopper) -> Result<()> {
        for run in self.link.pending_runs().await? {
            let Some(token) = self.link.issue_token(run).await? else {
                continue;
            };
            let (launcher, stopper) = (self.clone(), stopper.clone());
            let app = async move { launcher.attend(run, token.as_str(), stopper).await };
            apps.spawn(app.instrument(info_span!("serverapp", run_id = %run)));
        }
        Ok(())
    }

    /// Starts the process of a run and stays with it to the end of both.
    async fn attend(&self, run: RunId, token: &str, stopper: Stopper) {
        let outcome = match self.spawn(token) {
            Ok(app) => self.watch(run, &app, &stopper).await,
            Err(error) => {
                let text = chain(&error);
                self.fail(run, &format!("The ServerApp could not be started: {text}"))
                    .await
            }
        };
        if let Err(error) = outcome {
            error!(
                error = &error as &dyn std::error::Error,
                "the run could not be ended"
            );
        }
    }

    fn spawn(&self, token: &str) -> std::result::Result<AppProcess, flwr_daemon::apps::Error> {
        let command = serverapp_command(
            &self.program,
            &self.serverappio_address,
            token,
            Some(std::process::id()),
            self.flwr_dir.as_deref(),
        );
        let app = AppProcess::spawn(&command)?;
        info!(pid = app.id(), "ServerApp started");
        Ok(app)
    }

    async fn watch(&self, run: RunId, app: &AppProcess, stopper: &Stopper) -> Result<()> {
        tokio::select! {
            exit = app.wait() => self.exited(run, &exit).await,
            outcome = self.run_over(run) => {
                let farewell = if outcome? == Outcome::Stopped { Duration::ZERO } else { FAREWELL };
                if timeout(farewell, app.wait()).await.is_err() {
                    app.terminate(GRACE).await;
                }
                Ok(())
            }
            () = stopper.cancelled() => {
                app.terminate(GRACE).await;
                self.fail(run, "The SuperLink was stopped while the run was going on.").await
            }
        }
    }

    /// Waits until the run is finished.
    async fn run_over(&self, run: RunId) -> Result<Outcome> {
        let listener = self.link.wake().listen(Topic::Run(run));
        loop {
            let changed = listener.next();
            if let Phase::Finished(outcome) = self.link.known_run(run).await?.status.phase {
                return Ok(outcome);
            }
            changed.await;
        }
    }

    /// A process that ends without having finished its run has failed it.
    async fn exited(&self, run: RunId, exit: &Exit) -> Result<()> {
        info!(%exit, "ServerApp ended");
        if self.link.known_run(run).await?.status.phase.is_finished() {
            return Ok(());
        }
        let reason = format!("The ServerApp process ended before its run was finished: {exit}.");
        let output = exit.output();
        let details = if output.is_empty() {
            reason
        } else {
            format!("{reason} Its last lines:\n{output}")
        };
        self.fail(run, &details).await
    }

    /// Fails the run, unless it is over already, and says why in its log.
    async fn fail(&self, run: RunId, reason: &str) -> Result<()> {
        if self.link.known_run(run).await?.status.phase.is_finished() {
            return Ok(());
        }
        self.link
            .push_log(run, format!("[SuperLink] {reason}\n"))
            .await?;
        match self.link.change_run(run, RunStatus::failed(reason)).await {
            // It was finished in this very moment by somebody else.
            Err(Error::State(StateError::Refused(_))) => Ok(()),
            other => other,
        }
    }
}
