//! How much of a run's log is kept, in every backend.

/// Bytes of log text kept for a run. An app that prints more loses its oldest lines, not the
/// SuperLink's memory or disk.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// Seconds between two entries at least: the peers' readers add a microsecond to the last
/// moment they saw, and a double of this size is exact to a quarter of one.
pub(super) const STEP: f64 = 2e-6;
/// Stands where the oldest entries were.
pub(super) const MARKER: &str =
    "[... earlier log lines of this run were dropped by the SuperLink ...]\n";
