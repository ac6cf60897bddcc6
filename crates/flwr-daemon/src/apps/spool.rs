//! Copies the output of a lasting app from a pipe to a file, inside the keeper.
//!
//! A full disk or a slow daemon thus never fails the app's `print`, and with it the run. Output
//! that cannot be written is dropped and counted. The file is kept small, also while there is no
//! daemon.

use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use rustix::io::ioctl_fionbio;

/// Bytes of the file, above which its beginning goes. The daemon empties a file of 1 MiB that it has
/// read.
const BOUND: u64 = 4 << 20;
/// Bytes at the end that stay then.
const KEPT: u64 = 256 << 10;
/// Bytes that are read at once: what a pipe holds by default.
const CHUNK: usize = 64 << 10;
/// Reads in a row at most: what a pipe can be made to hold without privileges.
const READS: usize = 16;

/// Passes output on from a pipe to a file.
#[derive(Debug)]
pub(super) struct Spool {
    /// `None` once nobody writes any more.
    from: Option<PipeReader>,
    to: File,
    /// Bytes that could not be written.
    lost: u64,
}

impl Spool {
    /// Makes a pipe to this process' own stdout the app's stdout and stderr. `None` if that is no
    /// file.
    pub(super) fn of(app: &mut Command) -> io::Result<Option<Self>> {
        let to = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if !to.metadata()?.is_file() {
            return Ok(None);
        }
        let (from, stdout) = io::pipe()?;
        app.stderr(stdout.try_clone()?).stdout(stdout);
        Self::between(from, to).map(Some)
    }

    fn between(from: PipeReader, to: File) -> io::Result<Self> {
        // The keeper has more to wait for.
        ioctl_fionbio(&from, true)?;
        let (from, lost) = (Some(from), 0);
        Ok(Self { from, to, lost })
    }

    /// The app is started. The pipe ends when the app and all that it has started have ended.
    pub(super) fn release(app: &mut Command) {
        app.stdout(Stdio::null()).stderr(Stdio::null());
    }

    /// Becomes readable when there is something to pass on.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(AsFd::as_fd)
    }

    /// Passes on what is there: all that a pipe holds. An app that prints without a pause does not
    /// keep the keeper from its other work.
    pub(super) fn pass_on(&mut self) {
        let mut bytes = vec![0; CHUNK];
        for _ in 0..READS {
            let Some(from) = &mut self.from else {
                return;
            };
            match from.read(&mut bytes) {
                Ok(0) => self.from = None,
                Ok(read) => self.write(&bytes[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.from = None,
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.lost > 0 {
            let notice = format!("[{} bytes of output could not be written]\n", self.lost);
            if self.to.write_all(notice.as_bytes()).is_ok() {
                self.lost = 0;
            }
        }
        if self.to.write_all(bytes).is_err() {
            self.lost += bytes.len() as u64;
        }
        // An error leaves the file as it is.
        let _ = self.keep_small();
    }

    /// Drops the beginning of a file above its bound. A daemon that reads the file goes on at the
    /// new beginning.
    fn keep_small(&mut self) -> io::Result<()> {
        let length = self.to.metadata()?.len();
        if length <= BOUND {
            return Ok(());
        }
        let start = length.saturating_sub(KEPT);
        let mut end = vec![0; usize::try_from(length - start).unwrap_or_default()];
        self.to.read_exact_at(&mut end, start)?;
        let line = end.iter().position(|byte| *byte == b'\n');
        let end = &end[line.map_or(0, |at| at + 1)..];
        self.to.set_len(0)?;
        writeln!(self.to, "[{start} bytes of output were dropped]")?;
        self.to.write_all(end)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;
    use crate::apps::output;

    /// The text that a writer had passed on to this file.
    fn passed_on(spool: &mut Spool, text: &str, mut to: impl Write + Send + 'static) {
        let text = text.to_owned();
        let writer = thread::spawn(move || to.write_all(text.as_bytes()));
        while !writer.is_finished() {
            spool.pass_on();
            thread::yield_now();
        }
        writer.join().unwrap().unwrap();
        spool.pass_on();
    }

    #[test]
    fn an_app_prints_on_while_the_disk_is_full_and_the_loss_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (from, app) = io::pipe().unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut spool = Spool::between(from, full).unwrap();
        passed_on(&mut spool, &"x".repeat(300_000), app.try_clone().unwrap());
        assert_eq!(spool.lost, 300_000);
        spool.to = output::create(&path).unwrap();
        passed_on(&mut spool, "goes on\n", app);
        assert!(spool.source().is_none(), "nobody writes any more");
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(
            text,
            "[300000 bytes of output could not be written]\ngoes on\n"
        );
    }

    #[test]
    fn the_file_stays_small_and_has_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (from, app) = io::pipe().unwrap();
        let mut spool = Spool::between(from, output::create(&path).unwrap()).unwrap();
        let lines: String = (0..2_000_000).map(|n| format!("{n:09}\n")).collect();
        passed_on(&mut spool, &lines, app);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.len() as u64 <= BOUND + CHUNK as u64, "{}", text.len());
        let (notice, kept) = text.split_once('\n').unwrap();
        assert!(notice.ends_with("were dropped]"), "{notice}");
        assert!(lines.ends_with(kept));
    }
}
