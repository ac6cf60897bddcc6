//! What the operator reads about the connection: a line for each of the first tries that fail for
//! one reason, then a line a minute, and one when the connection works again. Calls that wait for the
//! same thing share these lines.

use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::refusal::{Failure, Silence};
use flwr_metrics::{Registry, Tally, Word};
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
/// The SuperLink does not know this node any more.
const FORGOTTEN: Word = "forgotten";
/// All words for reasons.
const REASON_WORDS: [Word; 8] = [
    "refused",
    "unreadable",
    "busy",
    "connection",
    "late",
    "cancelled",
    "broken",
    FORGOTTEN,
];

/// The state of the connection, as the log knows it.
#[derive(Debug)]
pub(crate) struct Report {
    trouble: Mutex<Option<Trouble>>,
    /// The times at which the SuperLink was lost, by the reason.
    losses: Tally,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            trouble: Mutex::default(),
            losses: Tally::new("reason", &REASON_WORDS),
        }
    }
}

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
    /// A try failed for this `reason`; the next comes after `delay`.
    pub(crate) fn failed(&self, failure: &Failure, reason: &str, tries: u64, delay: Duration) {
        if !self.is_troubled() {
            self.losses.count(word(failure));
        }
        if self.is_news(reason) {
            warn!(
                "{reason} (try {tries}; next in {:.1} s)",
                delay.as_secs_f64()
            );
        }
    }

    /// The SuperLink has forgotten this node.
    pub(crate) fn forgotten(&self) {
        self.losses.count(FORGOTTEN);
    }

    /// Whether the SuperLink has not answered since a call failed.
    pub(crate) fn is_troubled(&self) -> bool {
        self.trouble.lock().is_some()
    }

    /// Names what is counted.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let help = "Times at which the SuperLink was lost, by the first reason";
        let name = "flwr_superlink_reconnects";
        self.losses.register(registry, name, help);
    }

    /// A call was answered.
    pub(crate) fn answered(&self) {
        if let Some(trouble) = self.trouble.lock().take() {
            info!(
                "the SuperLink answers again after {:.1} s",
                trouble.since.elapsed().as_secs_f64()
            );
        }
    }

    fn is_news(&self, reason: &str) -> bool {
        let now = monotonic::now();
        let mut trouble = self.trouble.lock();
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

/// Why a call failed, in one word.
const fn word(failure: &Failure) -> Word {
    match failure {
        Failure::Answered(_) => "refused",
        Failure::Refused(_) => "unreadable",
        Failure::TryAgain(_) => "busy",
        Failure::Unanswered(unanswered) => match unanswered.why {
            Silence::Connection => "connection",
            Silence::Busy => "busy",
            Silence::Late => "late",
            Silence::Cancelled => "cancelled",
            Silence::Broken => "broken",
        },
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::refusal::Unanswered;

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
    fn each_loss_of_the_superlink_counts_once_by_its_first_reason() {
        let report = Report::default();
        let fail = |why| {
            let failure = Unanswered::new(why, "no").into();
            report.failed(&failure, "no", 1, Duration::ZERO);
        };
        fail(Silence::Late);
        fail(Silence::Connection);
        assert!(report.is_troubled());
        report.answered();
        fail(Silence::Late);
        for (word, number) in [("late", 2), ("connection", 0)] {
            assert_eq!(report.losses.number(word), number, "{word}");
        }
    }

    #[test]
    fn reasons_without_number_are_not_all_remembered() {
        let report = Report::default();
        for number in 0..1000 {
            assert!(report.is_news(&number.to_string()));
        }
        let trouble = report.trouble.lock();
        assert_eq!(
            trouble.as_ref().map(|trouble| trouble.told.len()),
            Some(REASONS)
        );
    }
}
