//! Reading a log to its end, also over several connections: a SuperLink may be restarted, and a
//! proxy may cut calls.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flwr_client::channel::connect_error;
use flwr_core::id::RunId;
use flwr_core::monotonic;
use flwr_core::port::control::LogReader as _;
use flwr_core::port::{self, Control};
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::render::Output;

/// The first wait between attempts to reach a SuperLink that went away.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest wait between attempts to reach a SuperLink that went away.
const MAX_PAUSE: Duration = Duration::from_secs(8);
/// How long a SuperLink may take to refuse before the log is announced. gRPC servers in Python
/// answer with the first words of the log, for which the user may wait long.
const REFUSAL: Duration = Duration::from_secs(1);
/// How often in a row a SuperLink that went away is tried: about a minute.
const MAX_ATTEMPTS: u32 = 10;
/// A log that was read for this long had reached the SuperLink: a proxy on the way may cut calls on
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
    fn announce(&mut self, run: RunId) -> Result<()> {
        match self {
            Self::Screen(output) => output.title(&format!("Starting logstream for run_id `{run}`")),
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
    control: &impl Control,
    run: RunId,
    seen: Seen,
    reader: &mut Reader<'_>,
) -> Result<()> {
    tokio::select! {
        ended = to_the_end(control, run, seen, reader) => ended,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted { run_id: run.0 }),
    }
}

async fn to_the_end(
    control: &impl Control,
    run: RunId,
    mut seen: Seen,
    reader: &mut Reader<'_>,
) -> Result<()> {
    let mut failures = 0;
    loop {
        let (before, begun) = (seen, monotonic::now());
        let failure = match once(control, run, &mut seen, reader).await {
            Err(Error::Call(failure)) => failure,
            ended => return ended,
        };
        let has_lasted = begun.elapsed() >= LASTING && connect_error(failure.as_ref()).is_none();
        seen.reached |= has_lasted;
        // A SuperLink that was never reached is not waited for.
        if !seen.reached || !is_passing(&failure) {
            return Err(Error::Call(failure));
        }
        failures = if has_lasted || seen.after > before.after {
            1
        } else {
            failures + 1
        };
        if failures > MAX_ATTEMPTS {
            return Err(Error::LogLost(Box::new(Error::Call(failure))));
        }
        sleep(pause(failures)).await;
    }
}

/// The progress in a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::commands) struct Seen {
    /// The moment of the last entry.
    pub(super) after: Timestamp,
    /// Whether the SuperLink has ever answered.
    reached: bool,
    /// Whether the user was told that the log is read.
    announced: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self::at(Timestamp::ZERO)
    }
}

impl Seen {
    /// Starts at a moment, and leaves out earlier lines.
    pub(in crate::commands) fn since(moment: Option<SystemTime>) -> Self {
        let since = moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
        Self::at(since.map_or(Timestamp::ZERO, |since| {
            Timestamp::from_secs(since.as_secs_f64())
        }))
    }

    /// Notes that all lines up to this moment are read.
    pub(in crate::commands) const fn at(after: Timestamp) -> Self {
        Self {
            after,
            reached: false,
            announced: false,
        }
    }
}

/// Reads the log to its end, or until the connection breaks.
async fn once<C: Control>(
    control: &C,
    run: RunId,
    seen: &mut Seen,
    reader: &mut Reader<'_>,
) -> Result<()> {
    let mut log = open(control, run, seen, reader).await?;
    seen.reached = true;
    while let Some(entry) = log.next().await? {
        reader.read(&entry.text)?;
        seen.after = seen.after.max(entry.at);
    }
    Ok(())
}

/// Opens the log, and announces it unless it is refused.
async fn open<C: Control>(
    control: &C,
    run: RunId,
    seen: &mut Seen,
    reader: &mut Reader<'_>,
) -> Result<C::Log> {
    let mut opening = pin!(control.log(run, seen.after));
    if seen.announced {
        return Ok(opening.await?);
    }
    let opened: Option<port::Result<C::Log>> = timeout(REFUSAL, &mut opening).await.ok();
    let log = opened.transpose()?;
    reader.announce(run)?;
    seen.announced = true;
    match log {
        Some(log) => Ok(log),
        None => Ok(opening.await?),
    }
}

/// Whether the SuperLink gave no answer, in contrast to a refusal.
const fn is_passing(failure: &Failure) -> bool {
    matches!(failure, Failure::Unanswered(_) | Failure::TryAgain(_))
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
    async fn shown(old: &OldSuperLink, run_id: u64, output: &mut Output) -> Result<()> {
        let mut screen = Reader::Screen(output);
        let control = old.serve().control;
        follow(&control, RunId(run_id), Seen::default(), &mut screen).await
    }

    #[tokio::test]
    async fn a_log_goes_on_where_the_line_broke() {
        let old = OldSuperLink {
            breaks: 2,
            ..OldSuperLink::default()
        };
        let (mut output, out, err) = pages(Format::Default, false);
        shown(&old, RUN, &mut output).await.unwrap();
        assert_eq!(out.text(), "line 1\nline 2\nline 3\n");
        assert_eq!(err.text(), "Starting logstream for run_id `7`\n");
        assert_eq!(*old.asked.lock().unwrap(), [0.0, 1.0, 2.0]);
    }

    #[tokio::test]
    async fn a_run_that_is_not_there_is_told_at_once() {
        let old = OldSuperLink::default();
        let (mut output, out, err) = pages(Format::Default, false);
        let error = shown(&old, 8, &mut output).await.unwrap_err();
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
        let (mut output, out, _) = pages(Format::Default, false);
        shown(&old, RUN, &mut output).await.unwrap();
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
