//! Limits repeated log lines to one per period and key. The line tells how many were left out. What
//! a peer can do without limit may not write a line each time: the log would fill the disk.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::monotonic;

/// The period for lines that peers cause.
pub const PERIOD: Duration = Duration::from_secs(5);
/// Keys with lines of their own in a period. Further keys share their lines.
const KEYS: usize = 64;

/// For each key: the time of the last line, and the lines left out since then.
#[derive(Debug)]
pub struct Quiet<K> {
    period: Duration,
    told: Mutex<Told<K>>,
}

#[derive(Debug)]
struct Told<K> {
    of_keys: HashMap<K, Line>,
    /// For the keys above the limit.
    of_others: Option<Line>,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    at: Instant,
    left_out: u64,
}

impl<K: Eq + Hash> Default for Quiet<K> {
    fn default() -> Self {
        Self::new(PERIOD)
    }
}

impl<K: Eq + Hash> Quiet<K> {
    /// A limit of one line of a key in this period.
    #[must_use]
    pub fn new(period: Duration) -> Self {
        Self {
            period,
            told: Mutex::new(Told {
                of_keys: HashMap::new(),
                of_others: None,
            }),
        }
    }

    /// `Some(n)`: write the line; `n` lines of its key were left out since the last one.
    pub fn ask(&self, key: K) -> Option<u64> {
        let now = monotonic::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.of_keys.contains_key(&key) && told.of_keys.len() >= KEYS {
            told.forget_before(now, self.period);
        }
        if let Some(line) = told.of_keys.get_mut(&key) {
            return line.ask(now, self.period);
        }
        if told.of_keys.len() < KEYS {
            told.of_keys.insert(
                key,
                Line {
                    at: now,
                    left_out: 0,
                },
            );
            return Some(0);
        }
        match &mut told.of_others {
            Some(line) => line.ask(now, self.period),
            none => {
                *none = Some(Line {
                    at: now,
                    left_out: 0,
                });
                Some(0)
            }
        }
    }
}

impl<K: Eq + Hash> Told<K> {
    /// Forgets the keys whose period is over.
    fn forget_before(&mut self, now: Instant, period: Duration) {
        self.of_keys
            .retain(|_, line| now.duration_since(line.at) < period);
    }
}

impl Line {
    fn ask(&mut self, now: Instant, period: Duration) -> Option<u64> {
        if now.duration_since(self.at) < period {
            self.left_out += 1;
            return None;
        }
        self.at = now;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_period_and_key_counts_the_others() {
        let quiet = Quiet::default();
        assert_eq!(quiet.ask("a"), Some(0));
        assert_eq!(quiet.ask("a"), None);
        assert_eq!(quiet.ask("a"), None);
        assert_eq!(quiet.ask("b"), Some(0));
        tokio::time::advance(PERIOD).await;
        assert_eq!(quiet.ask("a"), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_keys_has_a_bounded_number_of_lines() {
        let quiet = Quiet::default();
        let lines = |from: usize| {
            (from..from + 10_000)
                .filter_map(|key| quiet.ask(key))
                .count()
        };
        assert_eq!(lines(0), KEYS + 1);
        assert_eq!(lines(10_000), 0);
        tokio::time::advance(PERIOD).await;
        assert_eq!(lines(20_000), KEYS + 1);
        assert!(quiet.told.lock().unwrap().of_keys.len() <= KEYS);
    }
}
