//! Waits for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until the look gives something.
///
/// # Panics
/// If it gives nothing within [`PATIENCE`].
#[track_caller]
pub fn until_there<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    there_within(PATIENCE, what, look)
}

/// Waits until something is so.
///
/// # Panics
/// If it is not so within [`PATIENCE`].
#[track_caller]
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_within(PATIENCE, what, is_so);
}

/// Waits until something is so.
///
/// # Panics
/// If it is not so in this time.
#[track_caller]
pub fn until_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    there_within(patience, what, || is_so().then_some(()));
}

#[track_caller]
fn there_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
}
