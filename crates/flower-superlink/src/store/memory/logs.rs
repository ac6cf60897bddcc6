//! The log of a run: its latest pieces, within a bound.

use std::collections::VecDeque;

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::MemoryState;
use crate::link::state::{self, Changed, LogEntry, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::log::{self, MARKER, MAX_BYTES, Page, STEP};

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: VecDeque<LogEntry>,
    bytes: usize,
    /// When the latest dropped entry was logged.
    dropped: Option<Timestamp>,
}

impl Log {
    pub(super) fn append(&mut self, text: &str, now: Timestamp) {
        let last = self.entries.back().map(|entry| entry.at).or(self.dropped);
        let mut at = last.map_or(now, |last| now.max(last + STEP));
        let (text, is_cut) = log::kept(text);
        if is_cut {
            self.entries.clear();
            self.bytes = 0;
            self.dropped = Some(at);
            at = at + STEP;
        }
        self.bytes += text.len();
        for piece in state::pieces(text) {
            let text = piece.to_owned();
            self.entries.push_back(LogEntry { at, text });
            at = at + STEP;
        }
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

    pub(super) fn after(&self, after: Timestamp, most: usize) -> Vec<LogEntry> {
        let mut page = Page::of(most);
        let marker = self.dropped.filter(|at| *at > after);
        let marker = marker.map(|at| LogEntry {
            at,
            text: MARKER.to_owned(),
        });
        let first = self.entries.partition_point(|entry| entry.at <= after);
        let rest = self.entries.range(first..);
        let rest = rest.take_while(|entry| page.takes(entry.text.len()));
        marker.into_iter().chain(rest.cloned()).collect()
    }
}

#[async_trait]
impl state::Logs for MemoryState {
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()> {
        self.0.lock().run(run)?.log.append(&text, now);
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn log_after(
        &self,
        run: RunId,
        after: Timestamp,
        most: usize,
    ) -> StateResult<Vec<LogEntry>> {
        Ok(self.0.lock().run(run)?.log.after(after, most))
    }
}
