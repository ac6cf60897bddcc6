//! `flwr log`: prints the log of a run so far, or follows the log to its end.

use std::time::Duration;

use tokio::time::timeout;

use super::latest::Newest;
use crate::cli::{LogArgs, RunName};
use crate::connect::SuperLink;
use crate::error::Result;
use crate::render::Output;

mod follow;

use follow::PIECE;
pub(super) use follow::{Reader, Seen, follow};

/// `--show`: how long to wait for the first words, as Flower's own command has it.
const FIRST_WORDS: Duration = Duration::from_secs(5);
/// `--show`: silence that means that all there is has come. SuperLinks look for news every 0.5 s.
const SILENCE: Duration = Duration::from_millis(400);

pub(super) async fn log(args: &LogArgs, output: &mut Output) -> Result<()> {
    let mut superlink = super::reach(&args.target, "log", output)?;
    let run_id = match args.run {
        RunName::Id(run_id) => run_id,
        RunName::Latest => Newest::find(&mut superlink).await?.run_id,
    };
    let mut seen = Seen::since(args.since);
    let title = format!("Printing logstream for run_id `{run_id}`");
    match args.tail {
        Some(count) => {
            let mut text = String::new();
            let gathered = gather(&mut superlink, run_id, &mut seen, |piece| {
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
            let gathered = gather(&mut superlink, run_id, &mut seen, |piece| {
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
    follow(&mut superlink, run_id, seen, &mut Reader::Screen(output)).await
}

/// Reads what there is, and how far it goes.
async fn gather(
    superlink: &mut SuperLink,
    run_id: u64,
    seen: &mut Seen,
    mut reader: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut patience = FIRST_WORDS;
    let opening = superlink.stream_logs(run_id, seen.after, PIECE);
    let Ok(opened) = timeout(patience, opening).await else {
        return Ok(());
    };
    let mut stream = opened?;
    while let Ok(piece) = timeout(patience, stream.message()).await {
        let Some(piece) = piece? else { break };
        reader(&piece.log_output)?;
        seen.after = piece.latest_timestamp.max(seen.after);
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
    use super::*;
    use crate::connect::testing::{OldSuperLink, RUN};

    #[tokio::test]
    async fn show_prints_what_there_is() {
        let mut superlink = OldSuperLink::default().serve().await;
        let mut seen = Seen::default();
        let mut text = String::new();
        let gathered = gather(&mut superlink, RUN, &mut seen, |piece| {
            text.push_str(piece);
            Ok(())
        });
        gathered.await.unwrap();
        assert_eq!(text, "line 1\n");
        assert_eq!(seen, Seen::at(1.0));
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
