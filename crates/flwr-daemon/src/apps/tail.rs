//! Passes an app's output on, line by line, and keeps the last lines for error texts.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::console::AppLines;

use super::MissingModule;

/// Lines kept for the error text.
const KEPT_LINES: usize = 20;
/// Lines kept that name a missing module, Python's and Flower's, with the lines before Python's
/// that name files.
const KEPT_MISSING: usize = 8;
/// Lines that name files kept before the line of a missing module.
const KEPT_FRAMES: usize = 2;
/// Bytes of a line that are passed on at once; a longer line is passed on in pieces.
const LINE_BYTES: usize = 16 * 1024;
/// Characters kept of a line for the error text.
const KEPT_CHARS: usize = 400;

/// The last lines of an app's output, shared by its readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// The lines that name a missing module, oldest first.
    missing: Vec<String>,
    /// The last lines of a traceback that name files.
    frames: VecDeque<String>,
}

impl Tail {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().lines.iter().cloned().collect()
    }

    /// The missing module that the app's output names.
    pub(super) fn missing(&self) -> Option<MissingModule> {
        MissingModule::in_output(&self.0.lock().missing.join("\n"))
    }

    /// Keeps the last of the lines in `text`.
    pub(super) fn keep_lines(&self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n') {
            self.keep(line);
        }
    }

    fn keep(&self, line: &[u8]) {
        let text = plain(&String::from_utf8_lossy(line));
        let text: String = text.trim_end().chars().take(KEPT_CHARS).collect();
        if text.trim().is_empty() {
            return;
        }
        let mut kept = self.0.lock();
        if MissingModule::is_frame(&text) {
            if kept.frames.len() == KEPT_FRAMES {
                kept.frames.pop_front();
            }
            kept.frames.push_back(text.clone());
        }
        if MissingModule::is_told_by(&text) {
            let frames = std::mem::take(&mut kept.frames);
            kept.missing.extend(frames);
            kept.missing.push(text.clone());
            let first = kept.missing.len().saturating_sub(KEPT_MISSING);
            kept.missing.drain(..first);
        }
        if kept.lines.len() == KEPT_LINES {
            kept.lines.pop_front();
        }
        kept.lines.push_back(text);
    }
}

/// The text without terminal sequences (ECMA-48: ESC `[`, parameters, a final byte) and other
/// control characters: it travels to other machines' logs.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(next) = chars.next() {
        if next == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            chars.by_ref().find(|end| ('@'..='~').contains(end));
        } else if next == '\t' || !next.is_control() {
            plain.push(next);
        }
    }
    plain
}

/// A destination for the lines of an app.
pub(super) trait Sink: Send {
    /// Takes a line, or a piece of a long line.
    fn pass(&mut self, line: &[u8]) -> impl Future<Output = ()> + Send;
}

impl Sink for AppLines {
    async fn pass(&mut self, line: &[u8]) {
        Self::pass(self, line).await;
    }
}

/// Passes `from` on to `to` in whole lines, so that the lines of two apps do not mix, until the
/// end of `from`.
pub(super) async fn pass_on(mut from: impl AsyncBufRead + Unpin, mut to: impl Sink, tail: Tail) {
    let mut line = Vec::new();
    while let Ok(more) = read_piece(&mut from, &mut line).await {
        if !line.is_empty() {
            tail.keep(&line);
            to.pass(&line).await;
            line.clear();
        }
        if !more {
            return;
        }
    }
}

/// Reads up to the end of a line, or [`LINE_BYTES`]. False at the end of the stream.
async fn read_piece(
    from: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<bool> {
    loop {
        let ready = from.fill_buf().await?;
        if ready.is_empty() {
            return Ok(false);
        }
        let room = LINE_BYTES - line.len();
        let end = ready.iter().take(room).position(|byte| *byte == b'\n');
        let taken = end.map_or(room.min(ready.len()), |at| at + 1);
        line.extend_from_slice(&ready[..taken]);
        from.consume(taken);
        if end.is_some() || line.len() >= LINE_BYTES {
            return Ok(true);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl Sink for &mut Vec<u8> {
        async fn pass(&mut self, line: &[u8]) {
            self.extend_from_slice(line);
        }
    }

    async fn passed(input: &[u8]) -> (Vec<u8>, Vec<String>) {
        let (mut out, tail) = (Vec::new(), Tail::default());
        pass_on(input, &mut out, tail.clone()).await;
        (out, tail.lines())
    }

    #[tokio::test]
    async fn output_is_passed_on_unchanged_and_the_last_twenty_lines_are_kept() {
        let input: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let (out, kept) = passed(input.as_bytes()).await;
        assert_eq!(out, input.as_bytes());
        assert_eq!(kept.len(), KEPT_LINES);
        assert_eq!(
            (kept[0].as_str(), kept[19].as_str()),
            ("line 10", "line 29")
        );
    }

    #[tokio::test]
    async fn colours_are_passed_on_but_not_kept() {
        let input = b"\x1b[91mERROR \x1b[0m:     oops\r\n\x1b[2K\n";
        let (out, kept) = passed(input).await;
        assert_eq!(out, input);
        assert_eq!(kept, ["ERROR :     oops"]);
    }

    #[tokio::test]
    async fn endless_lines_and_odd_bytes_are_bounded() {
        let mut input = vec![b'x'; 3 * LINE_BYTES + 5];
        input.extend([0xff, 0xfe]);
        let (out, kept) = passed(&input).await;
        assert_eq!(out, input);
        assert_eq!(kept.len(), 4);
        assert!(kept.iter().all(|line| line.chars().count() <= KEPT_CHARS));
    }
}
