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

/// What is kept of a text that is logged at once, and whether its beginning is not. The kept part
/// begins with a line where that is possible.
pub(super) fn kept(text: &str) -> (&str, bool) {
    let Some(start) = text.len().checked_sub(MAX_BYTES).filter(|start| *start > 0) else {
        return (text, false);
    };
    let mut starts = start..text.len();
    let start = starts.find(|at| text.is_char_boundary(*at));
    let end = &text[start.unwrap_or(text.len())..];
    // A line that is half the log is worth more than its end.
    let line = end.find('\n').filter(|at| *at < end.len() / 2);
    (line.map_or(end, |at| &end[at + 1..]), true)
}

/// As many of the entries as `most` bytes hold, and one at least.
pub(super) struct Page {
    room: usize,
    is_empty: bool,
}

impl Page {
    pub(super) const fn of(most: usize) -> Self {
        Self {
            room: most,
            is_empty: true,
        }
    }

    /// Whether the next entry, with text of this length, is on the page.
    pub(super) fn takes(&mut self, length: usize) -> bool {
        let fits = self.is_empty || length <= self.room;
        self.is_empty = false;
        self.room = self.room.saturating_sub(length);
        fits
    }
}
