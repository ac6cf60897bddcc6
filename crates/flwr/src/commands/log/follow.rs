//! Reading a log to its end.
//!
//! A SuperLink of flwr 1.20 to 1.22 ends a call at its deadline, so the log is read in pieces:
//! each call begins after the timestamp that was seen last. A call that ends by itself means that
//! the run is finished and the log complete. One of flwr 1.15 cancels the call then.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flwr_client::channel::connect_error;
use flwr_core::monotonic;
use flwr_proto::StreamLogsResponse;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{Code, Status, Streaming};

use crate::connect::SuperLink;
use crate::error::{Error, Result};
use crate::render::Output;

/// How long one call may last, as Flower's own command has it.
pub(super) const PIECE: Duration = Duration::from_secs(60);
/// Wait before the next call, as Flower's own command has it.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest wait between attempts to reach a SuperLink that went away.
const MAX_PAUSE: Duration = Duration::from_secs(8);
/// How long a SuperLink may take to refuse before the log is announced. gRPC servers in Python
/// answer with the first words of the log, for which the user may wait long.
const REFUSAL: Duration = Duration::from_secs(1);
/// How often in a row a SuperLink that went away is tried: about a minute.
const MAX_ATTEMPTS: u32 = 10;
/// A call that lasted this long had reached the SuperLink: a proxy on the way may cut calls on
/// which nothing comes, and a run may be silent for hours.
const LASTING: Duration = Duration::from_secs(2);

/// The reader of a log.
pub(in crate::commands) enum Reader<'a> {
    /// The user.
    Screen(&'a mut Output),
    /// No reader: only the end of the run matters.
    Nobody,
}

impl Reader<'_> {
    /// Says that the log of this run is read.
    fn announce(&mut self, run_id: u64) -> Result<()> {
        match self {
            Self::Screen(output) => {
                output.title(&format!("Starting logstream for run_id `{run_id}`"))
            }
            Self::Nobody => Ok(()),
        }
    }

    fn read(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Screen(output) => output.log(text),
            Self::Nobody => Ok(()),
        }
    }
}

/// Reads the log until the run is finished, or until Ctrl-C.
pub(in crate::commands) async fn follow(
    superlink: &mut SuperLink,
    run_id: u64,
    seen: Seen,
    reader: &mut Reader<'_>,
) -> Result<()> {
    tokio::select! {
        ended = pieces(superlink, run_id, seen, reader) => ended,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted { run_id }),
    }
}

async fn pieces(
    superlink: &mut SuperLink,
    run_id: u64,
    mut seen: Seen,
    reader: &mut Reader<'_>,
) -> Result<()> {
    let mut failures = 0;
    loop {
        let (before, begun) = (seen, monotonic::now());
        let ended = piece(superlink, run_id, &mut seen, reader).await;
        let has_lasted = begun.elapsed() >= LASTING && !is_unconnected(&ended);
        seen.reached |= has_lasted;
        match ended {
            Ok(Piece::Complete) => return Ok(()),
            Ok(Piece::TimedOut) => failures = 0,
            // A SuperLink that was never reached is not waited for.
            Err(Error::Rpc(status)) if seen.reached && is_passing(&status) => {
                failures = if has_lasted || seen.after > before.after {
                    1
                } else {
                    failures + 1
                };
                if failures > MAX_ATTEMPTS {
                    return Err(Error::LogLost(Box::new(Error::Rpc(status))));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(pause(failures)).await;
    }
}

/// The progress in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::commands) struct Seen {
    /// The timestamp of the last piece, in seconds of Unix time.
    pub(super) after: f64,
    /// Whether a call was ever answered.
    reached: bool,
    /// Whether the user was told that the log is read.
    announced: bool,
}

impl Seen {
    /// Starts at a moment, and leaves out earlier lines.
    pub(in crate::commands) fn since(moment: Option<SystemTime>) -> Self {
        let since = moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
        Self::at(since.map_or(0.0, |since| since.as_secs_f64()))
    }

    /// Notes that all lines up to this Unix time are read.
    pub(in crate::commands) fn at(after: f64) -> Self {
        Self {
            after,
            reached: false,
            announced: false,
        }
    }
}

enum Piece {
    /// The run is finished and the log is complete.
    Complete,
    /// The log may have more.
    TimedOut,
}

/// One call.
async fn piece(
    superlink: &mut SuperLink,
    run_id: u64,
    seen: &mut Seen,
    reader: &mut Reader<'_>,
) -> Result<Piece> {
    let end = monotonic::now() + PIECE;
    let Some(mut stream) = open(superlink, run_id, seen, reader, end).await? else {
        return Ok(Piece::TimedOut);
    };
    seen.reached = true;
    loop {
        let Ok(answer) = timeout_at(end, stream.message()).await else {
            return Ok(Piece::TimedOut);
        };
        match answer {
            Ok(Some(piece)) => {
                reader.read(&piece.log_output)?;
                seen.after = piece.latest_timestamp.max(seen.after);
            }
            Ok(None) => return Ok(Piece::Complete),
            Err(status) if status.code() == Code::DeadlineExceeded => return Ok(Piece::TimedOut),
            Err(status) if status.code() == Code::Cancelled => {
                return if is_finished(superlink, run_id).await? {
                    Ok(Piece::Complete)
                } else {
                    Err(status.into())
                };
            }
            Err(status) => return Err(status.into()),
        }
    }
}

/// Opens the log, and announces it unless it is refused; `None` if there was no answer until the
/// end of the call.
async fn open(
    superlink: &mut SuperLink,
    run_id: u64,
    seen: &mut Seen,
    reader: &mut Reader<'_>,
    end: Instant,
) -> Result<Option<Streaming<StreamLogsResponse>>> {
    // The SuperLink gets a little longer, so that it is this side that ends the call.
    let mut opening = pin!(superlink.stream_logs(run_id, seen.after, PIECE + PAUSE));
    let mut opened = None;
    if !seen.announced {
        opened = timeout(REFUSAL, &mut opening).await.ok().transpose()?;
        reader.announce(run_id)?;
        seen.announced = true;
    }
    if opened.is_none() {
        // Not within its time is no answer.
        opened = timeout_at(end, opening).await.ok().transpose()?;
    }
    Ok(opened)
}

async fn is_finished(superlink: &mut SuperLink, run_id: u64) -> Result<bool> {
    let mut runs = superlink.list_runs(Some(run_id)).await?.run_dict;
    let status = runs.remove(&run_id).and_then(|run| run.status);
    Ok(status.is_some_and(|status| status.status == "finished"))
}

/// Whether the connection was never made.
fn is_unconnected(ended: &Result<Piece>) -> bool {
    matches!(ended, Err(Error::Rpc(status)) if connect_error(status).is_some())
}

/// Whether the connection broke, in contrast to a refusal.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
    )
}

/// Doubles with every failure.
fn pause(failures: u32) -> Duration {
    PAUSE.saturating_mul(1 << failures.min(8)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;
    use crate::connect::testing::{OldSuperLink, RUN};
    use crate::render::pages;

    /// Shows a log from its beginning.
    async fn shown(superlink: &mut SuperLink, run_id: u64, output: &mut Output) -> Result<()> {
        let mut screen = Reader::Screen(output);
        follow(superlink, run_id, Seen::default(), &mut screen).await
    }

    #[tokio::test]
    async fn a_log_goes_on_where_the_line_broke() {
        let old = OldSuperLink {
            breaks: 2,
            ..OldSuperLink::default()
        };
        let mut superlink = old.serve().await;
        let (mut output, out, err) = pages(Format::Default, false);
        shown(&mut superlink, RUN, &mut output).await.unwrap();
        assert_eq!(out.text(), "line 1\nline 2\nline 3\n");
        assert_eq!(err.text(), "Starting logstream for run_id `7`\n");
        assert_eq!(*old.asked.lock().unwrap(), [0.0, 1.0, 2.0]);
    }

    #[tokio::test]
    async fn a_run_that_is_not_there_is_told_at_once() {
        let old = OldSuperLink::default();
        let mut superlink = old.serve().await;
        let (mut output, out, err) = pages(Format::Default, false);
        let error = shown(&mut superlink, 8, &mut output).await.unwrap_err();
        assert_eq!(error.chain(), "Run ID not found.");
        assert_eq!(out.text() + &err.text(), "", "and nothing before");
        assert!(old.asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_log_that_is_cancelled_is_complete_when_the_run_is_finished() {
        let old = OldSuperLink {
            cancels: true,
            ..OldSuperLink::default()
        };
        let mut superlink = old.serve().await;
        let (mut output, out, _) = pages(Format::Default, false);
        shown(&mut superlink, RUN, &mut output).await.unwrap();
        assert_eq!(out.text(), "line 1\n");
        assert_eq!(*old.asked.lock().unwrap(), [0.0]);
    }

    #[test]
    fn pauses_grow_up_to_a_limit() {
        assert_eq!(pause(0), PAUSE);
        assert_eq!(pause(2), 4 * PAUSE);
        assert_eq!(pause(99), MAX_PAUSE);
    }
}
