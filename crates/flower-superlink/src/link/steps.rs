//! Steps of the machine's clock, and times in which the SuperLink did not run. NTP, an administrator
//! or the end of a suspended machine's sleep can move the time of day by hours in a moment. A process
//! that was stopped misses signs of life for as long. Leases of nodes and runs end at a time of day,
//! so both would end all leases at once, or none for hours.

use std::fmt;
use std::time::Duration;

use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use parking_lot::Mutex;

/// Seconds by which the time of day may move beside the elapsed time before this counts as a step.
/// NTP slews a clock by less than a millisecond a second.
const TOLERANCE: f64 = 1.0;
/// The longest time between two readings of a SuperLink that runs: one is made every second.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long the clock as it was before a step still counts for signatures. Nodes sign by their own
/// clocks, and those that are right must not be lost while ours is wrong.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Seconds of the largest step for which it counts. Signatures that are older by as much can be sent
/// again then.
const LARGEST: f64 = 900.0;

/// What has happened between two readings of the clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    /// The clock was set.
    Stepped {
        /// Forward by so many seconds.
        seconds: f64,
        /// Whose clock it is.
        whose: &'static str,
    },
    /// The SuperLink did not run.
    Away {
        /// The last reading before, by the clock of now.
        since: Timestamp,
        /// For so many seconds.
        seconds: f64,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stepped { seconds, whose } => {
                let direction = if *seconds < 0.0 { "back" } else { "forward" };
                let seconds = seconds.abs();
                write!(
                    f,
                    "the clock of {whose} was set {direction} by {seconds:.0} s"
                )
            }
            Self::Away { seconds, .. } => write!(
                f,
                "the SuperLink did not run for {seconds:.0} s: it was stopped, or its machine was suspended or overloaded"
            ),
        }
    }
}

fn whose(clock: &dyn Clock) -> &'static str {
    match clock.is_of_machine() {
        true => "the SuperLink's machine",
        false => "the database server",
    }
}

/// Compares each reading of the time of day with the elapsed time.
#[derive(Debug)]
pub(super) struct Steps(Mutex<Watched>);

#[derive(Debug)]
struct Watched {
    last: Reading,
    /// Somebody reads the clock every second.
    is_regular: bool,
    /// The seconds by which the clock was set lately, and the elapsed time at the last step.
    lately: Option<(f64, Duration)>,
}

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

    fn passed_since(self, earlier: Self) -> Duration {
        self.elapsed.saturating_sub(earlier.elapsed)
    }

    /// Seconds by which the clock was moved between `earlier` and this.
    fn step_since(self, earlier: Self) -> Option<f64> {
        let passed = self.passed_since(earlier).as_secs_f64();
        let step = self.now.since(earlier.now) - passed;
        (step.abs() > TOLERANCE).then_some(step)
    }
}

impl Watched {
    fn note_step(&mut self, step: f64, elapsed: Duration) {
        let before = self.lately_at(elapsed).unwrap_or_default();
        self.lately = Some((before + step, elapsed));
    }

    fn lately_at(&self, elapsed: Duration) -> Option<f64> {
        let (seconds, at) = self.lately?;
        (elapsed.saturating_sub(at) < REMEMBERED).then_some(seconds)
    }
}

impl Steps {
    /// Watches this clock from now on.
    pub(super) fn watch(clock: &dyn Clock) -> Self {
        Self(Mutex::new(Watched {
            last: Reading::of(clock),
            is_regular: false,
            lately: None,
        }))
    }

    /// From now on somebody reads the clock every second: a long pause between two readings is a time
    /// in which the SuperLink did not run.
    pub(super) fn expect_regular_readings(&self) {
        self.0.lock().is_regular = true;
    }

    /// The time of day. Calls `happened` with what has happened before anybody gets a time after it.
    pub(super) fn read(&self, clock: &dyn Clock, mut happened: impl FnMut(Event)) -> Timestamp {
        let mut watched = self.0.lock();
        let (last, reading) = (watched.last, Reading::of(clock));
        let step = reading.step_since(last);
        if let Some(step) = step {
            watched.note_step(step, reading.elapsed);
            happened(Event::Stepped {
                seconds: step,
                whose: whose(clock),
            });
        }
        let pause = reading.passed_since(last);
        if watched.is_regular && pause > LONGEST_PAUSE {
            happened(Event::Away {
                since: last.now + step.unwrap_or_default(),
                seconds: pause.as_secs_f64(),
            });
        }
        watched.last = reading;
        reading.now
    }

    /// The seconds by which the clock was set in the last hour, if it was, was not set back, and the
    /// clock of before still counts.
    pub(super) fn lately(&self, clock: &dyn Clock) -> Option<f64> {
        let seconds = self.0.lock().lately_at(clock.elapsed())?;
        let counts = seconds.abs() > TOLERANCE && seconds.abs() <= LARGEST;
        counts.then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use flwr_daemon::clock::MockClock;

    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);

    const fn stepped(seconds: f64) -> Event {
        Event::Stepped {
            seconds,
            whose: "the SuperLink's machine",
        }
    }

    fn events(steps: &Steps, clock: &MockClock) -> Vec<Event> {
        let mut seen = Vec::new();
        steps.read(clock, |event| seen.push(event));
        seen
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once_in_either_direction() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        clock.set(NOON + 3600.0);
        assert_eq!(events(&steps, &clock), [stepped(3600.0)]);
        assert_eq!(events(&steps, &clock), []);
        clock.advance(Duration::from_secs(10));
        clock.set(NOON);
        assert_eq!(events(&steps, &clock), [stepped(-3620.0 + 10.0)]);
    }

    #[test]
    fn time_that_passes_and_a_clock_that_is_slewed_are_no_steps() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(events(&steps, &clock), []);
        clock.set(clock.now() + 0.5);
        assert_eq!(events(&steps, &clock), []);
    }

    #[test]
    fn a_long_pause_between_regular_readings_is_noticed() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        steps.expect_regular_readings();
        clock.advance(LONGEST_PAUSE);
        assert_eq!(events(&steps, &clock), [], "a machine under load");
        let last = clock.now();
        clock.advance(Duration::from_secs(70));
        // The machine's clock is set when it wakes up.
        clock.set(clock.now() + 600.0);
        let away = Event::Away {
            since: last + 600.0,
            seconds: 70.0,
        };
        assert_eq!(events(&steps, &clock), [stepped(600.0), away]);
        assert_eq!(events(&steps, &clock), []);
    }

    #[test]
    fn the_clock_of_before_is_remembered_for_an_hour_unless_it_is_the_clock_again() {
        let clock = MockClock::new(NOON);
        let steps = Steps::watch(&clock);
        let lately = |step: f64| {
            clock.set(clock.now() + step);
            steps.read(&clock, |_| {});
            steps.lately(&clock)
        };
        assert_eq!(lately(0.0), None);
        assert_eq!(lately(-600.0), Some(-600.0));
        assert_eq!(lately(-60.0), Some(-660.0));
        assert_eq!(lately(660.0), None);
        assert_eq!(lately(90.0), Some(90.0));
        assert_eq!(lately(86_400.0), None, "a clock of yesterday");
        assert_eq!(lately(-86_400.0), Some(90.0));
        clock.advance(REMEMBERED);
        assert_eq!(lately(0.0), None);
        assert_eq!(lately(5.0), Some(5.0));
    }
}
