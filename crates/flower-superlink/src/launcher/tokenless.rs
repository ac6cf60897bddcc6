//! ServerApp processes without a token: flwr 1.13 to 1.20. Such a process asks for any pending run.
//! The launcher therefore starts one process at a time, and the next one when the process has its
//! run. Before flwr 1.19 a process sends no heartbeat while the app computes. The launcher then
//! sends heartbeats for as long as the process lives.

use std::future::pending;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::run::Phase;
use flwr_daemon::apps::{AppProcess, Error, tokenless_serverapp_command};
use flwr_daemon::stop::Stopper;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

use super::Launcher;
use crate::link::wake::Topic;

/// The limit from the start of a process to its request for a run. Python starts in this time.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// The interval of the heartbeats.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);

impl Launcher {
    /// Starts a process when it is its turn, and waits until it has asked for its run.
    pub(super) async fn spawn_tokenless(
        &self,
        run: RunId,
        turns: &Semaphore,
        stopper: &Stopper,
    ) -> Result<AppProcess, Error> {
        // The semaphore is never closed; were it, processes would not wait for each other.
        let _turn = turns.acquire().await;
        let mut command = tokenless_serverapp_command(
            &self.program,
            &self.serverappio_address,
            self.flwr_dir.as_deref(),
        );
        command.channels.clone_from(&self.channels);
        let app = self.start(run, &command).await?;
        self.link.expect(run, app.identity());
        tokio::select! {
            () = self.has_begun(run) => {}
            _ = app.wait() => {}
            () = self.tell_of_silence(run, &app) => {}
            () = sleep(REQUEST_LIMIT) => warn!(pid = app.id(), "the ServerApp has not asked for its run"),
            () = stopper.cancelled() => {}
        }
        self.link.expect_no_more(run);
        Ok(app)
    }

    pub(super) async fn has_begun(&self, run: RunId) {
        let listener = self.link.wake().listen(Topic::Run(run));
        loop {
            let changed = listener.next();
            match self.link.known_run(run).await {
                Ok(known) if known.status.phase == Phase::Pending => changed.await,
                _ => return,
            }
        }
    }

    /// Sends heartbeats for a process whose release has none. Pends for ever for all other processes.
    pub(super) async fn keep_alive(&self, run: RunId) {
        if self.turns.is_none() {
            return pending().await;
        }
        loop {
            // A run that is over, or not there, is somebody else's business.
            let _ = self
                .link
                .app_lives(run, HEARTBEAT_INTERVAL.as_secs_f64())
                .await;
            sleep(HEARTBEAT_INTERVAL).await;
        }
    }
}
