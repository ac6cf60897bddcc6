//! Runs the steps of an installation. The output of each step goes to a log. The terminal shows the
//! last line while a step runs, and the line with the reason if the step fails.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use flwr_core::monotonic;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::error::{Error, Result};
use crate::render::{Output, printable};

/// The polling interval for the step and its last line.
const LOOK: Duration = Duration::from_millis(100);
/// The interval of progress lines without a terminal.
const TELL: Duration = Duration::from_secs(10);
/// The bytes at the end of the log that may hold the last line.
const TAIL: u64 = 8 << 10;
/// The shown characters of the last line.
const SHOWN: usize = 70;

/// An installation with its log.
pub(super) struct Installation<'a> {
    log: PathBuf,
    output: &'a mut Output,
}

impl<'a> Installation<'a> {
    /// An installation that writes a new log.
    pub(super) fn begin(log: PathBuf, output: &'a mut Output) -> Result<Self> {
        match File::create(&log) {
            Ok(_) => Ok(Self { log, output }),
            Err(source) => Err(Error::Write { path: log, source }),
        }
    }

    /// Runs a program to its end, and shows meanwhile what the program does.
    pub(super) async fn step(&mut self, program: &Path, arguments: &[OsString]) -> Result<()> {
        let mut child = self
            .start(program, arguments)
            .map_err(|error| self.failed(Some(error)))?;
        let status = self.watch(&mut child).await;
        match status.map_err(|error| self.failed(Some(error)))? {
            status if status.success() => Ok(()),
            _ => Err(self.failed(None)),
        }
    }

    fn start(&self, program: &Path, arguments: &[OsString]) -> io::Result<Child> {
        let log = OpenOptions::new().append(true).open(&self.log)?;
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C must also end the installation.
            .kill_on_drop(true)
            .spawn()
    }

    async fn watch(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        let busy = self.output.busy("installing");
        let begun = monotonic::now();
        let mut told = begun;
        loop {
            if let Some(status) = child.try_wait()? {
                busy.finish_and_clear();
                return Ok(status);
            }
            let doing = shortened(&last_line(&self.log));
            if busy.is_hidden() && told.elapsed() >= TELL {
                told = monotonic::now();
                let seconds = begun.elapsed().as_secs();
                self.output
                    .note(&format!("  still installing, {seconds} s: {doing}"));
            } else {
                busy.set_message(doing);
            }
            sleep(LOOK).await;
        }
    }

    fn failed(&self, source: Option<io::Error>) -> Error {
        let said = fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        Error::Python {
            cause: telling_line(&said),
            no_venv: said.contains("ensurepip is not") || said.contains("No module named venv"),
            log: self.log.clone(),
            source,
        }
    }
}

/// The last line of a log. The log may still grow.
fn last_line(log: &Path) -> String {
    let tail = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let tail = tail().unwrap_or_default();
    let tail = String::from_utf8_lossy(&tail);
    let last = tail
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    printable(last.unwrap_or_default())
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The line with the reason: pip's last error, else the last line.
fn telling_line(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.rev().peekable();
    let last = lines.peek().copied().unwrap_or_default();
    printable(
        lines
            .find(|line| line.starts_with("ERROR:"))
            .unwrap_or(last),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;
    use crate::render::pages;

    async fn step(script: &str) -> (Result<()>, String) {
        let folder = tempfile::tempdir().unwrap();
        let (mut output, _, err) = pages(Format::Default, false);
        let log = folder.path().join("python.log");
        fs::write(&log, "ERROR: of an earlier attempt\n").unwrap();
        let mut installation = Installation::begin(log, &mut output).unwrap();
        let shell = ["-c".into(), script.into()];
        let done = installation.step(Path::new("/bin/sh"), &shell).await;
        (done, err.text())
    }

    #[tokio::test]
    async fn a_step_that_fails_tells_its_error_and_the_way_out() {
        let (done, _) = step("echo ERROR: No matching distribution >&2; echo bye; exit 1").await;
        let error = done.unwrap_err();
        let text = error.chain();
        assert!(text.contains("ERROR: No matching distribution"), "{text}");
        assert!(text.contains("python.log"), "{text}");
        assert!(error.hint().unwrap().contains("PIP_INDEX_URL"));

        let (done, _) = step("echo 'ensurepip is not available'; echo last words; exit 1").await;
        let error = done.unwrap_err();
        assert!(error.chain().contains("last words"), "{}", error.chain());
        assert!(error.hint().unwrap().contains("python3-venv"));
    }

    #[tokio::test]
    async fn a_step_that_works_says_nothing_more() {
        let (done, told) = step("echo ERROR: only a word; exit 0").await;
        done.unwrap();
        assert_eq!(told, "");
    }

    /// The clock runs by itself while the shell waits for the file.
    #[tokio::test(start_paused = true)]
    async fn where_no_terminal_shows_it_a_long_step_tells_what_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let (mut output, _, err) = pages(Format::Default, false);
        let log = folder.path().join("python.log");
        let mut installation = Installation::begin(log, &mut output).unwrap();
        let done = folder.path().join("done");
        let script = "echo Collecting flwr; until [ -e \"$0\" ]; do :; done";
        let shell = ["-c".into(), script.into(), done.clone().into_os_string()];
        let told = async {
            while !err.text().contains("s: Collecting flwr\n") {
                sleep(LOOK).await;
            }
            fs::write(&done, "").unwrap();
        };
        let (stepped, ()) = tokio::join!(installation.step(Path::new("/bin/sh"), &shell), told);
        stepped.unwrap();
        let text = err.text();
        assert!(text.starts_with("  still installing, 10 s: "), "{text}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_start_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (mut output, _, _) = pages(Format::Default, false);
        let log = folder.path().join("python.log");
        let mut installation = Installation::begin(log, &mut output).unwrap();
        let done = installation.step(&folder.path().join("missing"), &[]).await;
        let text = done.unwrap_err().chain();
        assert!(text.contains("No such file"), "{text}");
    }

    #[test]
    fn the_last_line_is_one_that_people_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert_eq!(last_line(&log), "");
        let long = "ü".repeat(SHOWN + 1);
        fs::write(&log, format!("Collecting flwr\n  {long}\u{1b}\n\n")).unwrap();
        let shown = shortened(&last_line(&log));
        assert_eq!(shown, format!("{}…", "ü".repeat(SHOWN)));
    }
}
