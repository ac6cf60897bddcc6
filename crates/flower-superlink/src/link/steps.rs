//! Steps of the machine's clock. NTP, an administrator or the end of a suspended machine's sleep
//! can move the time of day by hours in a moment. Leases of nodes and runs end at a time of day,
//! so a step would end all of them, or none for hours.

use std::time::Duration;

use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use parking_lot::Mutex;

/// Seconds by which the time of day may move beside the elapsed time before this counts as a step.
/// NTP slews a clock by less than a millisecond a second.
const TOLERANCE: f64 = 1.0;

/// Compares each reading of the time of day with the elapsed time.
#[derive(Debug)]
pub(super) struct Steps(Mutex<Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    now: Timestamp,
    elapsed: Duration,
}

impl Reading {
    fn of(clock: &dyn Clock) -> Self {
        Self {
            now: clock.now(),
            elapsed: clock.elapsed(),
        }
    }

    /// Seconds by which the clock was moved between `earlier` and this.
    fn step_since(self, earlier: Self) -> Option<f64> {
        let passed = self.elapsed.saturating_sub(earlier.elapsed).as_secs_f64();
        let step = self.now.since(earlier.now) - passed;
        (step.abs() > TOLERANCE).then_some(step)
    }
}

impl Steps {
    /// Watches this clock from now on.
    pub(super) fn watch(clock: &dyn Clock) -> Self {
        Self(Mutex::new(Reading::of(clock)))
    }

    /// The time of day. Calls `stepped` with the seconds of a step before anybody gets a time
    /// after it.
    pub(super) fn read(&self, clock: &dyn Clock, stepped: impl FnOnce(f64)) -> Timestamp {
        let mut last = self.0.lock();
        let reading = Reading::of(clock);
        if let Some(step) = reading.step_since(*last) {
            stepped(step);
        }
        *last = reading;
        reading.now
    }
}

#[cfg(test)]
mod tests {
    use flwr_daemon::clock::MockClock;

    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);

    fn step(steps: &Steps, clock: &MockClock) -> Option<f64> {
        let mut seen = None;
        steps.read(clock, |step| seen = Some(step));
        seen
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once_in_either_direction() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        clock.set(NOON + 3600.0);
        assert_eq!(step(&steps, &clock), Some(3600.0));
        assert_eq!(step(&steps, &clock), None);
        clock.advance(Duration::from_secs(10));
        clock.set(NOON);
        assert_eq!(step(&steps, &clock), Some(-3620.0 + 10.0));
    }

    #[test]
    fn time_that_passes_and_a_clock_that_is_slewed_are_no_steps() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(step(&steps, &clock), None);
        clock.set(clock.now() + 0.5);
        assert_eq!(step(&steps, &clock), None);
    }
}
