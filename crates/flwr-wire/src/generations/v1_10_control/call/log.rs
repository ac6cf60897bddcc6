//! The log of a run, read to its end.
//!
//! A SuperLink ends a call at its deadline, so the log is read in pieces. Each call begins after the
//! entry that was read last. A call that ends by itself means that the run is finished and the log
//! complete. A SuperLink of flwr 1.15 cancels the call then.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::port::control::{LogEntry, LogReader};
use flwr_core::port::{Control, Result};
use flwr_core::refusal::Silence;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use futures::StreamExt;
use tokio::time::{Sleep, sleep};

use super::ControlOver;
use super::rpcs::STREAM_LOGS;
use crate::line::{Answers, Line};

/// How long one call may last, as Flower's own command has it.
const PIECE: Duration = Duration::from_secs(60);
/// The wait before the next call, as Flower's own command has it. The SuperLink gets this much more
/// time for a call, so that this side ends it.
const PAUSE: Duration = Duration::from_millis(500);

/// The log of a run.
pub struct Log<L> {
    control: ControlOver<L>,
    run: RunId,
    after: Timestamp,
    /// The call that goes on. `None`: the next one is not made yet.
    piece: Option<Piece>,
}

/// One call.
struct Piece {
    entries: Answers<proto::StreamLogsResponse>,
    end: Pin<Box<Sleep>>,
}

impl<L: Line> Log<L> {
    /// Asks for the log, and waits until the SuperLink begins to answer.
    pub(super) async fn open(
        control: ControlOver<L>,
        run: RunId,
        after: Timestamp,
    ) -> Result<Self> {
        let mut log = Self {
            control,
            run,
            after,
            piece: None,
        };
        log.piece().await?;
        Ok(log)
    }

    /// The call that goes on, or a new one.
    async fn piece(&mut self) -> Result<&mut Piece> {
        let piece = match self.piece.take() {
            Some(piece) => piece,
            None => self.call().await?,
        };
        Ok(self.piece.insert(piece))
    }

    /// Calls until the SuperLink begins to answer. One in Python does with the first entry.
    async fn call(&mut self) -> Result<Piece> {
        loop {
            let request = proto::StreamLogsRequest {
                run_id: self.run.0,
                after_timestamp: self.after.as_secs(),
            };
            let mut end = Box::pin(sleep(PIECE));
            let answered = tokio::select! {
                answered = STREAM_LOGS.stream(&self.control.line, request, PIECE + PAUSE) => answered,
                () = &mut end => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            match answered {
                Ok(entries) => return Ok(Piece { entries, end }),
                Err(failure) if failure.silence() == Some(Silence::Late) => sleep(PAUSE).await,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Whether the run is over.
    async fn is_finished(&mut self) -> Result<bool> {
        let runs = self.control.runs(Some(self.run)).await?.runs;
        let mut runs = runs.iter().filter(|run| run.id == self.run);
        Ok(runs.any(|run| run.status.phase.is_finished()))
    }
}

impl<L: Line> LogReader for Log<L> {
    async fn next(&mut self) -> Result<Option<LogEntry>> {
        loop {
            let piece = self.piece().await?;
            let answer = tokio::select! {
                biased;
                answer = piece.entries.next() => answer,
                () = &mut piece.end => {
                    self.piece = None;
                    sleep(PAUSE).await;
                    continue;
                }
            };
            match answer {
                Some(Ok(entry)) => {
                    let at = Timestamp::from_secs(entry.latest_timestamp);
                    self.after = self.after.max(at);
                    let text = entry.log_output;
                    return Ok(Some(LogEntry { at, text }));
                }
                None => return Ok(None),
                Some(Err(failure)) => {
                    self.piece = None;
                    match failure.silence() {
                        Some(Silence::Late) => sleep(PAUSE).await,
                        Some(Silence::Cancelled) if self.is_finished().await? => return Ok(None),
                        _ => return Err(failure),
                    }
                }
            }
        }
    }
}

impl<L> fmt::Debug for Log<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("run", &self.run)
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
