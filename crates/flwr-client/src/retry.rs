//! How long to wait before the next try: 1 s, doubling up to 20 s, each time a random part of it
//! (flwr 1.22's policy; full jitter keeps thousands of nodes from returning in one wave).

use std::time::Duration;

use flwr_core::monotonic;
use rand::RngExt;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(20);

/// How often a call is repeated without a pause, if the server closed its connection in order.
pub const AT_ONCE: u32 = 5;

/// How long a request is retried. Without a limit: for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Persistence {
    /// Retries of one request.
    pub max_retries: Option<u64>,
    /// Time from a request's first failure.
    pub max_wait: Option<Duration>,
}

/// The waiting times of one request.
#[derive(Debug)]
pub struct Backoff {
    persistence: Persistence,
    tries: u64,
    bound: Duration,
    since: Option<Instant>,
}

impl Backoff {
    /// The waiting times of a request that has not failed yet.
    #[must_use]
    pub fn new(persistence: Persistence) -> Self {
        Self {
            persistence,
            tries: 0,
            bound: FIRST,
            since: None,
        }
    }

    /// The time to wait after one more failure; `None`: give up.
    pub fn next_delay(&mut self) -> Option<Duration> {
        self.tries += 1;
        let since = *self.since.get_or_insert_with(monotonic::now);
        let Persistence {
            max_retries,
            max_wait,
        } = self.persistence;
        if max_retries.is_some_and(|limit| self.tries > limit) {
            return None;
        }
        let mut delay = self.bound.mul_f64(rand::rng().random_range(0.0..=1.0));
        self.bound = (self.bound * 2).min(LONGEST);
        if let Some(limit) = max_wait {
            let left = limit
                .checked_sub(since.elapsed())
                .filter(|left| !left.is_zero())?;
            delay = delay.min(left);
        }
        Some(delay)
    }

    /// Failures so far.
    #[must_use]
    pub const fn tries(&self) -> u64 {
        self.tries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_grow_to_twenty_seconds_and_never_end() {
        let mut backoff = Backoff::new(Persistence::default());
        let bounds = [1, 2, 4, 8, 16, 20, 20, 20];
        for bound in bounds {
            assert!(backoff.next_delay().unwrap() <= Duration::from_secs(bound));
        }
        assert_eq!(backoff.tries(), 8);
    }

    #[test]
    fn retries_are_counted() {
        let mut backoff = Backoff::new(Persistence {
            max_retries: Some(2),
            max_wait: None,
        });
        assert!(backoff.next_delay().is_some() && backoff.next_delay().is_some());
        assert!(backoff.next_delay().is_none());
        let mut never = Backoff::new(Persistence {
            max_retries: Some(0),
            max_wait: None,
        });
        assert!(never.next_delay().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_waiting_time_is_bounded() {
        let limit = Duration::from_secs(3);
        let mut backoff = Backoff::new(Persistence {
            max_retries: None,
            max_wait: Some(limit),
        });
        let start = Instant::now();
        while let Some(delay) = backoff.next_delay() {
            tokio::time::sleep(delay).await;
        }
        // Tokio's timer works in milliseconds, rounded up.
        assert!(start.elapsed() >= limit && start.elapsed() < limit + Duration::from_millis(50));
    }
}
