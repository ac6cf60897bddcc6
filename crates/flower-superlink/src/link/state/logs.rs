//! The logs of runs.

use async_trait::async_trait;
use flwr_core::id::RunId;
pub use flwr_core::port::control::LogEntry;
use flwr_core::time::Timestamp;

use super::{StateResult, Written};

/// What ServerApps print.
#[async_trait]
pub trait Logs {
    /// Adds to the run's log.
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()>;

    /// What was logged after that moment, oldest first.
    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>>;
}
