//! The log of a run: its latest pieces, within a bound.

use std::collections::VecDeque;

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::MemoryState;
use crate::link::state::{self, Changed, LogEntry, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::log::{MARKER, MAX_BYTES, STEP};

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// When the latest dropped entry was logged.
    dropped: Option<Timestamp>,
}

impl Log {
    pub(super) fn append(&mut self, text: String, now: Timestamp) {
        let last = self.entries.back().map(|entry| entry.at).or(self.dropped);
        let at = last.map_or(now, |last| now.max(last + STEP));
        self.bytes += text.len();
        self.entries.push_back(LogEntry { at, text });
        while self.bytes > MAX_BYTES && self.entries.len() > 1 {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.text.len();
                self.dropped = Some(oldest.at);
            }
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    pub(super) fn after(&self, after: Timestamp) -> Vec<LogEntry> {
        let marker = self.dropped.filter(|at| *at > after);
        let marker = marker.map(|at| LogEntry {
            at,
            text: MARKER.to_owned(),
        });
        let first = self.entries.partition_point(|entry| entry.at <= after);
        marker
            .into_iter()
            .chain(self.entries.range(first..).cloned())
            .collect()
    }
}

#[async_trait]
impl state::Logs for MemoryState {
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()> {
        self.0.lock().run(run)?.log.append(text, now);
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>> {
        Ok(self.0.lock().run(run)?.log.after(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_too_long_loses_its_oldest_entries_and_says_so() {
        let mut log = Log::default();
        for n in 0..5 {
            log.append(
                format!("{n}").repeat(MAX_BYTES / 4),
                Timestamp::from_secs(10.0),
            );
        }
        let texts: Vec<_> = log
            .after(Timestamp::ZERO)
            .into_iter()
            .map(|e| e.text)
            .collect();
        assert_eq!(texts[0], MARKER);
        assert!(texts[1].starts_with('1'));
        assert_eq!(texts.len(), 5);
        // Who has seen the dropped entry does not hear of it.
        assert_eq!(log.after(Timestamp::from_secs(10.0)).len(), 4);
    }
}
