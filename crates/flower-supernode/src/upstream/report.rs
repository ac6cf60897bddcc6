//! What the operator reads about the connection: one line a failed try, not one a call that
//! waits for it, and one when it works again.

use std::time::Duration;

use flwr_core::monotonic;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

/// Calls that fail together within this time make one line.
const TOGETHER: Duration = Duration::from_millis(500);

/// The state of the connection, as the log knows it.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<Option<Trouble>>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    told: Instant,
    reason: String,
}

impl Report {
    /// A try failed; the next comes after `delay`.
    pub(crate) fn failed(&self, reason: &str, tries: u64, delay: Duration) {
        if self.is_news(reason) {
            warn!(
                "{reason} (try {tries}; next in {:.1} s)",
                delay.as_secs_f64()
            );
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&self) {
        if let Some(trouble) = self.0.lock().take() {
            info!(
                "the SuperLink answers again after {:.1} s",
                trouble.since.elapsed().as_secs_f64()
            );
        }
    }

    fn is_news(&self, reason: &str) -> bool {
        let now = monotonic::now();
        let mut trouble = self.0.lock();
        let since = trouble.as_ref().map_or(now, |trouble| trouble.since);
        if trouble
            .as_ref()
            .is_some_and(|last| last.reason == reason && now - last.told < TOGETHER)
        {
            return false;
        }
        *trouble = Some(Trouble {
            since,
            told: now,
            reason: reason.to_owned(),
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_fail_together_make_one_line() {
        let report = Report::default();
        assert!(report.is_news("refused"));
        assert!(!report.is_news("refused"));
        assert!(report.is_news("timed out"), "another reason is news");
        tokio::time::advance(TOGETHER).await;
        assert!(report.is_news("timed out"), "so is the next try");
        report.answered();
        assert!(report.is_news("timed out"), "and trouble after an answer");
    }
}
