//! The clock of a daemon. Code that decides about expiry takes a [`Clock`], so tests set the time.

use std::fmt::Debug;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flwr_core::monotonic;
use flwr_core::time::Timestamp;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::time::Instant;

mod following;

pub use following::{Asked, FollowingClock};

/// Gives the current time.
pub trait Clock: Debug + Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// The time since a fixed moment that the clock chooses. Setting the system's time does not
    /// change this reading. It does not advance while the machine is suspended.
    fn elapsed(&self) -> Duration;

    /// Whether it is the clock of this machine. Another is that of a server which several daemons follow.
    fn is_of_machine(&self) -> bool {
        true
    }

    /// The current time as a date.
    fn date_time(&self) -> OffsetDateTime {
        let now = self.now().to_date_time();
        now.unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// The fixed moment: the first call of `elapsed` in this process.
static BEGIN: LazyLock<Instant> = LazyLock::new(monotonic::now);

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct MockClock(Mutex<Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    now: Timestamp,
    elapsed: Duration,
}

impl SystemClock {
    /// The current time, for crates that want the type of the standard library.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "daemons read the system's time here and nowhere else"
    )]
    pub fn system_time(self) -> SystemTime {
        SystemTime::now()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A machine set to before 1970 gets 1970: every message then counts as not yet expired.
        let since = self
            .system_time()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_secs(since.as_secs_f64())
    }

    fn elapsed(&self) -> Duration {
        BEGIN.elapsed()
    }
}

impl MockClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let elapsed = Duration::ZERO;
        Self(Mutex::new(Reading { now, elapsed }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut reading = self.0.lock();
        reading.now = reading.now + by.as_secs_f64();
        reading.elapsed += by;
    }

    /// Sets the clock, while no time passes.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().now = now;
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        self.0.lock().now
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_clock_stands_still_until_it_is_moved() {
        let clock = MockClock::new(Timestamp::from_secs(1_758_000_000.25));
        assert_eq!(clock.now(), Timestamp::from_secs(1_758_000_000.25));
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.now(), Timestamp::from_secs(1_758_000_001.75));
        clock.set(Timestamp::from_secs(3.0));
        assert_eq!(clock.now(), Timestamp::from_secs(3.0));
        assert_eq!(clock.elapsed(), Duration::from_millis(1500));
    }

    #[test]
    fn the_system_clock_is_past_2025() {
        assert!(SystemClock.now() > Timestamp::from_secs(1_735_689_600.0));
    }
}
