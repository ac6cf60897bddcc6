//! A ServerApp's process that does not call the SuperLink: something keeps it from that, such as a
//! proxy or an import that never ends, and whoever waits for the run should hear of it.

use std::future::pending;
use std::time::Duration;

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_daemon::apps::AppProcess;
use tokio::time::timeout;
use tracing::warn;

use super::{Launcher, with_output};
use crate::link::state::own_line;

/// How long a process may take to its first call: Python starts in it, and imports Flower.
const FIRST_CALL: Duration = Duration::from_secs(20);

impl Launcher {
    /// Tells the log of the SuperLink and that of the run if the process has not asked for its run
    /// in time, with what it has printed. Never ends.
    pub(super) async fn tell_of_silence(&self, run: RunId, app: &AppProcess) {
        if timeout(FIRST_CALL, self.has_begun(run)).await.is_err() {
            let seconds = FIRST_CALL.as_secs();
            let what = format!(
                "The ServerApp has not called the SuperLink for {seconds} s since its process (pid {}) was started.",
                app.id()
            );
            let lines = app.last_lines();
            let text = if lines.is_empty() {
                format!("{what} It has printed nothing.")
            } else {
                with_output(what, &lines, None)
            };
            warn!("{text}");
            if let Err(error) = self.link.push_log(run, own_line(text)).await {
                warn!(error = chain(&error), "the run's log does not tell so");
            }
        }
        pending().await
    }
}
