//! `flwr log`: prints the log of a run so far, or follows the log to its end.

use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::port::Control;
use flwr_core::port::control::LogReader as _;
use tokio::time::timeout;

use super::latest::Newest;
use crate::cli::{LogArgs, RunName};
use crate::error::Result;
use crate::render::Output;

mod follow;

pub(super) use follow::{Reader, Seen, follow};

/// `--show`: how long to wait for the first words, as Flower's own command has it.
const FIRST_WORDS: Duration = Duration::from_secs(5);
/// `--show`: silence that means that all there is has come. SuperLinks look for news every 0.5 s.
const SILENCE: Duration = Duration::from_millis(400);

pub(super) async fn log(args: &LogArgs, output: &mut Output) -> Result<()> {
    let superlink = super::reach(&args.target, "log", output)?;
    let run_id = match args.run {
        RunName::Id(run_id) => run_id,
        RunName::Latest => Newest::find(&superlink).await?.run_id,
    };
    let control = &superlink.control;
    let mut seen = Seen::since(args.since);
    let title = format!("Printing logstream for run_id `{run_id}`");
    match args.tail {
        Some(count) => {
            let mut text = String::new();
            let gathered = gather(control, RunId(run_id), &mut seen, |piece| {
                text.push_str(piece);
                Ok(())
            });
            gathered.await?;
            if args.show {
                output.title(&title)?;
            }
            output.log(last_lines(&text, count))?;
        }
        None if args.show => {
            let mut title = Some(title);
            let gathered = gather(control, RunId(run_id), &mut seen, |piece| {
                if let Some(title) = title.take() {
                    output.title(&title)?;
                }
                output.log(piece)
            });
            gathered.await?;
            // The run is there and has no log yet.
            if let Some(title) = title {
                output.title(&title)?;
            }
        }
        None => {}
    }
    if args.show {
        return Ok(());
    }
    follow(control, RunId(run_id), seen, &mut Reader::Screen(output)).await
}

/// Reads what there is, and how far it goes.
async fn gather(
    control: &impl Control,
    run: RunId,
    seen: &mut Seen,
    mut reader: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut patience = FIRST_WORDS;
    let opening = control.log(run, seen.after);
    let Ok(opened) = timeout(patience, opening).await else {
        return Ok(());
    };
    let mut log = opened?;
    while let Ok(entry) = timeout(patience, log.next()).await {
        let Some(entry) = entry? else { break };
        reader(&entry.text)?;
        seen.after = seen.after.max(entry.at);
        patience = SILENCE;
    }
    Ok(())
}

/// So many lines from the end.
fn last_lines(text: &str, count: usize) -> &str {
    // What ends the last line begins no other.
    let body = text.strip_suffix('\n').unwrap_or(text);
    let mut starts = body.rmatch_indices('\n').map(|(at, _)| at + 1);
    match count.checked_sub(1) {
        None => "",
        Some(more) => starts.nth(more).map_or(text, |start| &text[start..]),
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::time::Timestamp;

    use super::*;
    use crate::connect::testing::{OldSuperLink, RUN};

    #[tokio::test]
    async fn show_prints_what_there_is() {
        let superlink = OldSuperLink::default().serve();
        let mut seen = Seen::default();
        let mut text = String::new();
        let gathered = gather(&superlink.control, RunId(RUN), &mut seen, |piece| {
            text.push_str(piece);
            Ok(())
        });
        gathered.await.unwrap();
        assert_eq!(text, "line 1\n");
        assert_eq!(seen, Seen::at(Timestamp::from_secs(1.0)));
    }

    #[test]
    fn the_last_lines_are_counted_from_the_end() {
        let text = "a\nb\nc\n";
        assert_eq!(last_lines(text, 0), "");
        assert_eq!(last_lines(text, 1), "c\n");
        assert_eq!(last_lines(text, 2), "b\nc\n");
        assert_eq!(last_lines(text, 3), text);
        assert_eq!(last_lines(text, 9), text);
        assert_eq!(last_lines("a\nb", 1), "b");
        assert_eq!(last_lines("", 1), "");
    }
}
