//! A clock that goes by the clock of another machine. Several daemons that compare moments need one clock.

use std::time::Duration;

use flwr_core::time::Timestamp;
use parking_lot::Mutex;

use super::{Clock, SystemClock};

/// Goes by the clock that [`Self::follow`] tells of, and by the machine's until then. Between two readings
/// time passes as the machine's uptime does: whoever sets the machine's clock changes nothing.
#[derive(Debug, Default)]
pub struct FollowingClock(Mutex<Option<Reading>>);

/// What the other clock told, and the uptime then.
#[derive(Clone, Copy, Debug)]
struct Reading {
    told: Timestamp,
    uptime: Duration,
}

impl Reading {
    fn at(self, uptime: Duration) -> Timestamp {
        self.told + uptime.saturating_sub(self.uptime).as_secs_f64()
    }
}

/// A question for the time, under way to the other machine.
#[derive(Clone, Copy, Debug)]
pub struct Asked(Duration);

impl Asked {
    /// Asked now.
    #[must_use]
    pub fn now() -> Self {
        Self(uptime())
    }
}

impl FollowingClock {
    /// Takes in what the other clock told between the question and this call. A clock that shows a time
    /// within these bounds is right, and stays as it is. Gives the seconds by which this clock was set
    /// forward.
    pub fn follow(&self, asked: Asked, told: Timestamp) -> Option<f64> {
        let uptime = uptime();
        let underway = uptime.saturating_sub(asked.0).as_secs_f64();
        let mut last = self.0.lock();
        let shown = last.map_or_else(|| SystemClock.now(), |reading| reading.at(uptime));
        let right = shown.max(told).min(told + underway);
        *last = Some(Reading {
            told: right,
            uptime,
        });
        (right != shown).then(|| right.since(shown))
    }

    /// The seconds by which the machine's clock is ahead of this one.
    #[must_use]
    pub fn machine_is_ahead(&self) -> f64 {
        SystemClock.now().since(self.now())
    }
}

impl Clock for FollowingClock {
    fn now(&self) -> Timestamp {
        let last = *self.0.lock();
        last.map_or_else(|| SystemClock.now(), |reading| reading.at(uptime()))
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }

    fn is_of_machine(&self) -> bool {
        self.0.lock().is_none()
    }
}

/// The time since the machine was started, with the time in which it was suspended.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let read = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(read).unwrap_or_default()
}

/// The time since the first reading.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    SystemClock.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than a test stands still on a busy machine.
    const A_WHILE: f64 = 600.0;

    fn shows(clock: &FollowingClock, time: Timestamp) -> bool {
        (-A_WHILE..A_WHILE).contains(&clock.now().since(time))
    }

    #[test]
    fn it_is_the_machines_clock_until_another_was_heard() {
        let clock = FollowingClock::default();
        assert!(clock.is_of_machine());
        assert!(clock.machine_is_ahead().abs() < A_WHILE);
        let told = SystemClock.now() + -86_400.0;
        let set = clock.follow(Asked::now(), told).unwrap();
        assert!((-A_WHILE..A_WHILE).contains(&(set + 86_400.0)), "{set}");
        assert!(shows(&clock, told) && !clock.is_of_machine());
        let ahead = clock.machine_is_ahead();
        assert!((-A_WHILE..A_WHILE).contains(&(ahead - 86_400.0)), "{ahead}");
    }

    #[test]
    fn an_answer_that_was_long_underway_sets_no_clock_that_may_be_right() {
        let clock = FollowingClock::default();
        let told = Timestamp::from_secs(1_758_000_000.0);
        clock.follow(Asked::now(), told);
        let shown = clock.now();
        // The other clock was read at any moment of the last 10 s.
        let long_ago = Asked(uptime().saturating_sub(Duration::from_secs(10)));
        assert_eq!(clock.follow(long_ago, told + -5.0), None);
        assert!(shows(&clock, shown));
        let set = clock.follow(long_ago, told + 3600.0).unwrap();
        assert!((-A_WHILE..A_WHILE).contains(&(set - 3600.0)), "{set}");
        let set = clock.follow(Asked::now(), told + -3600.0).unwrap();
        assert!(set < -A_WHILE, "{set}");
        assert!(shows(&clock, told + -3600.0));
    }
}
