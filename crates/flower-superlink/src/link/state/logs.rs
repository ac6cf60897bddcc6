//! The logs of runs.

use std::fmt::Display;
use std::iter;

use async_trait::async_trait;
use flwr_core::id::RunId;
pub use flwr_core::port::control::LogEntry;
use flwr_core::time::Timestamp;

use super::{StateResult, Written};

/// Bytes of an entry at most. An app may print megabytes at once: smaller entries are read, sent and
/// dropped one by one.
const PIECE_BYTES: usize = 64 << 10;

/// A line of the SuperLink's own, as it stands in the log of a run.
#[must_use]
pub fn own_line(text: impl Display) -> String {
    format!("[SuperLink] {text}\n")
}

/// The line of a run that begins again, with the reason.
#[must_use]
pub fn begins_again(why: &str) -> String {
    own_line(format_args!(
        "{why} The run begins again from its beginning."
    ))
}

/// What ServerApps print.
#[async_trait]
pub trait Logs {
    /// Adds to the run's log: an entry for each of the [`pieces`] of the text. Of a text that is
    /// longer than all that is kept of a log, the end is kept.
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()>;

    /// What was logged after that moment, oldest first: as many entries as `most` bytes hold, and
    /// one at least.
    async fn log_after(
        &self,
        run: RunId,
        after: Timestamp,
        most: usize,
    ) -> StateResult<Vec<LogEntry>>;
}

/// The text in pieces of at most 64 KiB. They end with a line where that is possible.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, more) = rest.split_at(end_of_piece(rest));
        rest = more;
        Some(piece)
    })
}

fn end_of_piece(text: &str) -> usize {
    if text.len() <= PIECE_BYTES {
        return text.len();
    }
    let mut ends = (0..=PIECE_BYTES).rev();
    let end = ends.find(|at| text.is_char_boundary(*at));
    let end = end.unwrap_or(text.len());
    text[..end].rfind('\n').map_or(end, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_a_line_or_else_with_a_character() {
        let line = format!("{}\n", "x".repeat(999));
        let lines = line.repeat(200);
        let cut: Vec<_> = pieces(&lines).collect();
        assert_eq!(cut.concat(), lines);
        assert_eq!(cut.len(), 4);
        assert!(cut.iter().all(|piece| piece.ends_with('\n')));

        let word = "é".repeat(PIECE_BYTES);
        let word = format!("a{word}");
        let cut: Vec<_> = pieces(&word).collect();
        assert_eq!(cut.concat(), word);
        assert_eq!(cut.len(), 3);
        assert!(cut.iter().all(|piece| piece.len() <= PIECE_BYTES));
        assert_eq!(pieces("").count(), 0);
    }
}
