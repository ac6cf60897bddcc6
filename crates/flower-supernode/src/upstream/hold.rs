//! How long the SuperLink may hold a pull. Without a deadline a SuperLink of ours decides
//! (`--node-hold`). Proxies cut calls on which nothing comes for a while: nginx after 60 s, others
//! after 10 s. The node then asks for a shorter hold.

use std::time::Duration;

use parking_lot::Mutex;
use tracing::info;

/// An earlier cut is no cut of a held call: something else failed.
const SHORTEST_CUT: Duration = Duration::from_secs(1);
/// The shortest deadline that is asked for.
const SHORTEST: Duration = Duration::from_secs(1);
/// The part of the time to the cut that is used.
const PART: f64 = 0.8;
/// Two resets count as the same cut if their times differ by at most this part.
const LIKENESS: f64 = 0.1;

/// The deadline of pulls, learned from the cuts.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<Learned>);

#[derive(Debug, Default)]
struct Learned {
    deadline: Option<Duration>,
    last_reset: Option<Duration>,
}

/// What cut a held call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A proxy said that the time was over (HTTP status 504).
    TimedOut,
    /// The stream was reset, or answered with UNAVAILABLE, for an unknown reason.
    Reset,
}

impl Hold {
    /// The deadline to give with the next pull; `None` leaves it to the SuperLink.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.0.lock().deadline
    }

    /// A pull was cut `after` this time. A reset counts when the reset before came after the same
    /// time: a SuperLink that restarts resets its calls too. True if the next pull is shorter.
    pub(super) fn cut(&self, cut: Cut, after: Duration) -> bool {
        if after < SHORTEST_CUT {
            return false;
        }
        let mut learned = self.0.lock();
        if cut == Cut::Reset {
            let before = learned.last_reset.replace(after);
            if !before.is_some_and(|before| is_alike(before, after)) {
                return false;
            }
        }
        let deadline = after.mul_f64(PART).max(SHORTEST);
        if learned.deadline.is_some_and(|known| known <= deadline) {
            return false;
        }
        learned.deadline = Some(deadline);
        info!(
            "a proxy on the way to the SuperLink cuts calls after {:.1} s: requests for messages now last {:.1} s at most",
            after.as_secs_f64(),
            deadline.as_secs_f64()
        );
        true
    }
}

fn is_alike(one: Duration, other: Duration) -> bool {
    let (one, other) = (one.as_secs_f64(), other.as_secs_f64());
    (one - other).abs() <= LIKENESS * one.max(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_a_proxy_shortens_the_hold_and_never_lengthens_it() {
        let hold = Hold::default();
        assert_eq!(hold.deadline(), None);
        assert!(hold.cut(Cut::TimedOut, Duration::from_secs(10)));
        assert_eq!(hold.deadline(), Some(Duration::from_secs(8)));
        assert!(!hold.cut(Cut::TimedOut, Duration::from_secs(60)));
        assert_eq!(hold.deadline(), Some(Duration::from_secs(8)));
        assert!(hold.cut(Cut::TimedOut, Duration::from_millis(1100)));
        assert_eq!(hold.deadline(), Some(SHORTEST));
    }

    #[test]
    fn a_failure_at_once_and_a_single_reset_are_no_cut() {
        let hold = Hold::default();
        assert!(!hold.cut(Cut::TimedOut, Duration::from_millis(900)));
        assert!(!hold.cut(Cut::Reset, Duration::from_secs(10)));
        assert!(!hold.cut(Cut::Reset, Duration::from_secs(3)));
        assert_eq!(hold.deadline(), None);
        assert!(hold.cut(Cut::Reset, Duration::from_millis(3100)));
        assert_eq!(hold.deadline(), Some(Duration::from_millis(2480)));
    }
}
