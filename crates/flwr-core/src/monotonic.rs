//! The monotonic clock, for deadlines and durations. The programs read the clock here and nowhere
//! else. Where tests pause the time of tokio, this clock stands still too.

use tokio::time::Instant;

/// The current moment. Setting the system's time does not change this reading.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the programs read the monotonic clock here and nowhere else"
)]
pub fn now() -> Instant {
    Instant::now()
}
