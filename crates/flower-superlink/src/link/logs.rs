//! The log of a run: what its ServerApp prints, for whoever reads along.

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::Link;
use super::state::LogEntry;
use super::wake::Topic;
use crate::error::{Error, Result};

impl Link {
    /// Adds raw text to the log of a run.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn push_log(&self, run: RunId, text: String) -> Result<()> {
        if !text.is_empty() {
            self.state.append_log(run, text, self.now()).await?;
            self.wake.notify(Topic::Log(run));
        }
        Ok(())
    }

    /// Waits for log after that moment. `None`: the run is over and all was read.
    ///
    /// # Errors
    /// If the run is not known, or the daemon ends.
    pub async fn next_log(&self, run: RunId, after: Timestamp) -> Result<Option<LogEntry>> {
        let listener = self.wake.listen(Topic::Log(run));
        loop {
            let changed = listener.next();
            // In this order: what a run logs at its very end must not be missed.
            let finished = self.known_run(run).await?.status.phase.is_finished();
            let entries = self.state.log_after(run, after).await?;
            if let Some(last) = entries.last() {
                let at = last.at;
                let text = entries.into_iter().map(|entry| entry.text).collect();
                return Ok(Some(LogEntry { at, text }));
            }
            if finished {
                return Ok(None);
            }
            self.stopper
                .run_until_stopped(changed)
                .await
                .ok_or(Error::Stopping)?;
        }
    }
}
