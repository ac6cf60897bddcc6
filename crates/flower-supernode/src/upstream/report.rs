//! What the operator reads about the connection: a line for each of the first tries that fail for
//! one reason, then a line a minute, and one when the connection works again. Calls that wait for the
//! same thing share these lines.

use std::time::Duration;

use flwr_core::monotonic;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

/// Calls that fail together within this time make one line.
const TOGETHER: Duration = Duration::from_millis(500);
/// Lines with the same reason before there is only one a minute.
const FIRST: u32 = 5;
/// The time between two lines with the same reason after that.
const REPEAT: Duration = Duration::from_secs(60);
/// Reasons that are remembered. Calls fail side by side, each for a reason of its own.
const REASONS: usize = 8;

/// The state of the connection, as the log knows it.
#[derive(Debug, Default)]
pub(crate) struct Report(Mutex<Option<Trouble>>);

#[derive(Debug)]
struct Trouble {
    since: Instant,
    /// The reasons, that of the oldest line first.
    told: Vec<Told>,
}

#[derive(Debug)]
struct Told {
    reason: String,
    lines: u32,
    last: Instant,
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
        let told = &mut trouble
            .get_or_insert_with(|| Trouble {
                since: now,
                told: Vec::new(),
            })
            .told;
        let known = told.iter().position(|told| told.reason == reason);
        let lines = match known.map(|place| &told[place]) {
            Some(known) => {
                let pause = if known.lines < FIRST {
                    TOGETHER
                } else {
                    REPEAT
                };
                if now - known.last < pause {
                    return false;
                }
                known.lines
            }
            None => 0,
        };
        if known.is_some() || told.len() == REASONS {
            told.remove(known.unwrap_or_default());
        }
        told.push(Told {
            reason: reason.to_owned(),
            lines: lines + 1,
            last: now,
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reason_makes_one_line_a_minute_after_the_first_tries() {
        let report = Report::default();
        for _ in 0..FIRST {
            assert!(report.is_news("refused"));
            assert!(!report.is_news("refused"), "calls that fail together");
            assert!(report.is_news("timed out"), "another reason is news");
            tokio::time::advance(TOGETHER).await;
        }
        let mut lines = 0;
        for _ in 0..600 {
            tokio::time::advance(Duration::from_secs(1)).await;
            lines += u32::from(report.is_news("refused"));
            report.is_news("timed out");
        }
        assert_eq!(lines, 10, "of ten minutes");
        report.answered();
        assert!(report.is_news("refused"), "and trouble after an answer");
    }

    #[test]
    fn reasons_without_number_are_not_all_remembered() {
        let report = Report::default();
        for number in 0..1000 {
            assert!(report.is_news(&number.to_string()));
        }
        let trouble = report.0.lock();
        assert_eq!(
            trouble.as_ref().map(|trouble| trouble.told.len()),
            Some(REASONS)
        );
    }
}
