//! Limits repeated log lines to one per period and kind. The line tells how many were left out.

use std::collections::HashMap;
use std::time::Duration;

use flwr_core::monotonic;
use parking_lot::Mutex;
use tokio::time::Instant;

/// For each kind of line: the time of the last write, and the lines left out since then.
#[derive(Debug)]
pub(super) struct Quiet {
    period: Duration,
    last: Mutex<HashMap<&'static str, (Instant, u64)>>,
}

impl Quiet {
    pub(super) fn new(period: Duration) -> Self {
        Self {
            period,
            last: Mutex::default(),
        }
    }

    /// `Some(n)`: write the line; `n` lines of its kind were left out since the last one.
    pub(super) fn ask(&self, kind: &'static str) -> Option<u64> {
        let now = monotonic::now();
        let mut last = self.last.lock();
        match last.get_mut(kind) {
            Some((at, held)) if now.duration_since(*at) < self.period => {
                *held += 1;
                None
            }
            _ => Some(last.insert(kind, (now, 0)).map_or(0, |(_, held)| held)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_period_and_kind_counts_the_others() {
        let quiet = Quiet::new(Duration::from_secs(5));
        assert_eq!(quiet.ask("a"), Some(0));
        assert_eq!(quiet.ask("a"), None);
        assert_eq!(quiet.ask("a"), None);
        assert_eq!(quiet.ask("b"), Some(0));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(quiet.ask("a"), Some(2));
    }
}
