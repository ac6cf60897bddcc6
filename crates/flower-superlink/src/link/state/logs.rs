//! The logs of runs.

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::{StateResult, Written};

/// A piece of a run's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// When it arrived; strictly increasing within a run.
    pub at: Timestamp,
    /// Raw text, colours included; not necessarily a whole line.
    pub text: String,
}

/// What ServerApps print.
#[async_trait]
pub trait Logs {
    /// Adds to the run's log.
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()>;

    /// What was logged after that moment, oldest first.
    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>>;
}
