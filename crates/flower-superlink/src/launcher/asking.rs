//! ServerApp processes of flwr 1.13 to 1.20. They have no token, and ask for any run that waits:
//! one is started at a time, and the next when it has got its run. Those before 1.19 give no sign
//! of life while the app computes: that their process is there is one.

use std::future::pending;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::run::Phase;
use flwr_daemon::apps::{AppProcess, Error, asking_serverapp_command};
use flwr_daemon::stop::Stopper;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

use super::Launcher;
use crate::link::wake::Topic;

/// How long a process may take from its start to its question: Python starts in it.
const QUESTION: Duration = Duration::from_secs(60);
/// How often the life of a process is told.
const SIGN_EVERY: Duration = Duration::from_secs(20);

impl Launcher {
    /// Starts a process when it is its turn, and waits until it has asked for its run.
    pub(super) async fn spawn_asking(
        &self,
        run: RunId,
        turns: &Semaphore,
        stopper: &Stopper,
    ) -> Result<AppProcess, Error> {
        // The semaphore is never closed; were it, processes would not wait for each other.
        let _turn = turns.acquire().await;
        self.link.expect(run);
        let command = asking_serverapp_command(
            &self.program,
            &self.serverappio_address,
            self.flwr_dir.as_deref(),
        );
        let app = self.start(run, &command).await?;
        tokio::select! {
            () = self.has_begun(run) => {}
            _ = app.wait() => {}
            () = self.tell_of_silence(run, &app) => {}
            () = sleep(QUESTION) => warn!(pid = app.id(), "the ServerApp has not asked for its run"),
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

    /// Tells that a process lives which may not say so itself; for all others it never ends.
    pub(super) async fn keep_alive(&self, run: RunId) {
        if self.turns.is_none() {
            return pending().await;
        }
        loop {
            // A run that is over, or not there, is somebody else's business.
            let _ = self.link.app_lives(run, SIGN_EVERY.as_secs_f64()).await;
            sleep(SIGN_EVERY).await;
        }
    }
}
