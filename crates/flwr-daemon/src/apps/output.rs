//! The output file of a lasting app. The daemon follows the file and keeps it small.
//!
//! A pipe to the daemon would break when the daemon dies, and the app's next `print` would fail. The
//! app's keeper writes the file (`spool.rs`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt, BufReader, duplex};
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::Error;
use super::tail::{Sink, Tail, pass_on};
use crate::stop::Stopper;

/// The file is emptied above this size, once all of its content is passed on.
const BOUND: u64 = 1024 * 1024;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
/// Bytes at the file's end that are searched for the last lines.
const END: u64 = 256 * 1024;
/// The interval between two looks for new output.
const POLL: Duration = Duration::from_millis(150);

/// The open file, before the daemon follows it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Output {
    /// Creates the file.
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            file: create(path).map_err(failed(path))?,
        })
    }

    /// Makes the file a program's stdout and stderr.
    pub(super) fn attach_to(&self, program: &mut Command) -> Result<(), Error> {
        let another = || self.file.try_clone().map_err(failed(&self.path));
        program
            .stdout(Stdio::from(another()?))
            .stderr(Stdio::from(another()?));
        Ok(())
    }

    /// Removes the file of an app that did not start.
    pub(super) fn discard(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            // A rest of a few bytes does no harm.
            debug!(%error, path = %self.path.display(), "an output was not removed");
        }
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Output {
        path: path.display().to_string(),
        source,
    }
}

/// Creates the file (0600). A file of that name is unlinked first: it may belong to another app
/// that still writes to it.
pub(super) fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .create_new(true)
        .read(true)
        // With O_APPEND the app goes on at the new end after the file was emptied.
        .append(true)
        .mode(0o600)
        .open(path)
}

/// The last lines (at most 20) of an app that ended while no daemon watched it, in the form of
/// [`Exit::tail`](super::Exit::tail). Empty if the file cannot be read. Blocks.
#[must_use]
pub fn last_lines(output: &Path) -> Vec<String> {
    let tail = Tail::default();
    if let Ok((text, _)) = File::open(output).and_then(|file| end_of(&file)) {
        tail.keep_lines(&text);
    }
    tail.lines()
}

/// Reads what the app writes to the file.
#[derive(Debug)]
pub(super) struct Follower {
    file: File,
    /// The end of what was read.
    at: u64,
    bound: u64,
}

impl Follower {
    /// Follows a new file from its start.
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            at: 0,
            bound: BOUND,
        }
    }

    /// Follows a file from its present end, since an earlier daemon has passed on the rest. The
    /// last lines go to `tail`. An unfinished last line was not passed on yet, and is read again.
    pub(super) fn resume(path: &Path, tail: &Tail) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).open(path)?;
        let (text, start) = end_of(&file)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let read = match whole {
            Some(at) => at + 1,
            None if start == 0 => 0,
            None => text.len(),
        };
        tail.keep_lines(&text[..read]);
        Ok(Self {
            at: start + read as u64,
            ..Self::new(file)
        })
    }

    /// Reads up to [`CHUNK`] new bytes. If there are none, a file above its bound is emptied.
    /// Output that the app writes in this moment is missing in the daemon's log only: the run's log
    /// comes over the API.
    fn read(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len();
        if length < self.at {
            // The app has emptied the file itself.
            self.at = 0;
        }
        if length == self.at {
            if length > self.bound {
                self.file.set_len(0)?;
                self.at = 0;
            }
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; CHUNK];
        let read = self.file.read_at(&mut bytes, self.at)?;
        bytes.truncate(read);
        self.at += read as u64;
        Ok(bytes)
    }
}

/// The whole lines at the end of the file, and their position.
fn end_of(file: &File) -> io::Result<(Vec<u8>, u64)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(END);
    let mut text = vec![0; usize::try_from(length - start).unwrap_or_default()];
    let read = file.read_at(&mut text, start)?;
    text.truncate(read);
    let cut = if start == 0 {
        None
    } else {
        text.iter().position(|byte| *byte == b'\n')
    };
    let skipped = cut.map_or(0, |at| at + 1);
    text.drain(..skipped);
    Ok((text, start + skipped as u64))
}

/// Passes the app's output on to `to` until the app has `ended` and the file is read to its end.
pub(super) async fn follow(follower: Follower, to: impl Sink, tail: Tail, ended: Stopper) {
    let (sink, source) = duplex(CHUNK);
    let (read, ()) = tokio::join!(
        read_on(follower, sink, ended),
        pass_on(BufReader::new(source), to, tail)
    );
    if let Err(error) = read {
        warn!(%error, "the output of an app cannot be read any more");
    }
}

async fn read_on(
    mut follower: Follower,
    mut sink: impl AsyncWrite + Unpin,
    ended: Stopper,
) -> io::Result<()> {
    loop {
        // Checked before the read: a read after the end sees all output.
        let last = ended.is_stopped();
        let looked = spawn_blocking(move || {
            let bytes = follower.read();
            (follower, bytes)
        });
        let (back, bytes) = looked.await.map_err(io::Error::other)?;
        follower = back;
        let bytes = bytes?;
        if !bytes.is_empty() {
            sink.write_all(&bytes).await?;
        } else if last {
            return Ok(());
        } else {
            // After the interval the loop reads again.
            let _ = timeout(POLL, ended.cancelled()).await;
        }
    }
}

#[cfg(test)]
mod tests;
