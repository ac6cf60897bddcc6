//! The log of a run: what its ServerApp prints, for whoever reads along.

use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::MissingModule;

use super::Link;
use super::commit::Stores;
use super::state::{LogEntry, own_line, pieces};
use super::wake::Topic;
use crate::error::{Error, Result};

/// Seconds for which a process may have been without an answer: a Python peer tries again every
/// 20 s at least.
const REPEATED: f64 = 300.0;
/// In the details of a run whose ServerApp lacks a module: Flower's words, and Python's.
const IS_MISSING: [&str; 2] = ["Unable to load module", "No module named"];

impl Link {
    /// Adds raw text to the log of a run.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn push_log(&self, run: RunId, text: String) -> Result<()> {
        if !text.is_empty() {
            let now = self.now();
            let logged = self.commit(move |Stores { state, .. }| async move {
                state.append_log(run, text, now).await
            });
            logged.await?;
        }
        Ok(())
    }

    /// The same for what a ServerApp process prints. It repeats itself when it has heard no
    /// answer; then its first words since this SuperLink began are those that are there already.
    ///
    /// # Errors
    /// If the run is not known.
    pub async fn push_app_log(&self, run: RunId, text: String) -> Result<()> {
        if self.processes.prints_first(run) {
            let since = self.now() + -REPEATED;
            let recent = self.state.log_after(run, since, usize::MAX).await?;
            let repeated: Vec<_> = pieces(&text).collect();
            let first = recent.len().saturating_sub(repeated.len());
            let latest = recent[first..].iter().map(|entry| entry.text.as_str());
            if latest.eq(repeated) {
                return Ok(());
            }
        }
        self.push_log(run, text).await
    }

    /// A failed run ends with its cause: where the app lacks a module, the last line of the log
    /// names the module, and the run's details do.
    pub(super) async fn with_cause(&self, run: RunId, to: RunStatus) -> Result<RunStatus> {
        let is_missing = IS_MISSING.iter().any(|text| to.details.contains(text));
        if to.phase != Phase::Finished(Outcome::Failed) || !is_missing {
            return Ok(to);
        }
        let since = self.now() + -REPEATED;
        let recent = self.state.log_after(run, since, usize::MAX).await?;
        let output: String = recent.into_iter().map(|entry| entry.text).collect();
        let Some(missing) = MissingModule::in_output(&output) else {
            return Ok(to);
        };
        let reason = format!("The ServerApp failed: {missing}");
        self.push_log(run, own_line(&reason)).await?;
        Ok(RunStatus::failed(reason))
    }

    /// Waits for log after that moment, and gives as many entries in one as `most` bytes hold. `None`:
    /// the run is over and all was read.
    ///
    /// # Errors
    /// If the run is not known, or the daemon ends.
    pub async fn next_log(
        &self,
        run: RunId,
        after: Timestamp,
        most: usize,
    ) -> Result<Option<LogEntry>> {
        let listener = self.wake.listen(Topic::Log(run));
        loop {
            let changed = listener.next();
            // In this order: what a run logs at its very end must not be missed.
            let finished = self.known_run(run).await?.status.phase.is_finished();
            let entries = self.state.log_after(run, after, most).await?;
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
