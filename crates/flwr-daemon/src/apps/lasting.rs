//! Lasting apps: they go on when their daemon dies, and the next daemon takes them over.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::command::Stdin;
use super::keeper::Life;
use super::leftovers::Kept;
use super::output::{Follower, Output, follow};
use super::process::{READ_GRACE, program, start, stdin};
use super::tail::Tail;
use super::{AppCommand, AppProcess, Error, Exit, Identity, Watchers};
use crate::console::Console;
use crate::stop::Stopper;
use crate::task;

/// The interval between two looks at a process whose end the system cannot report.
const POLL: Duration = Duration::from_millis(200);

impl AppProcess {
    /// Starts an app that goes on when this value is dropped or the daemon dies. The app writes its
    /// stdout and stderr to the file `output`, which is passed on to the daemon's stderr. The file
    /// is removed once the app has ended and this value is dropped.
    ///
    /// # Errors
    /// The system cannot create the file or start the program.
    pub fn spawn_lasting(
        command: &AppCommand,
        output: &Path,
        watchers: &Watchers,
    ) -> Result<Self, Error> {
        let mut program = program(command, Life::Own);
        let Stdin { stdio, channel } = stdin(command)?;
        program.stdin(stdio);
        let output = Output::create(output)?;
        output.attach_to(&mut program)?;
        let (child, identity) = start(command, &mut program).inspect_err(|_| output.discard())?;
        let app = Self::lasting(&command.name, child, identity, output, watchers);
        Ok(app.with_channel(channel))
    }

    /// Takes a child that writes to `output` as an app.
    pub(super) fn lasting(
        name: &str,
        mut child: Child,
        identity: Identity,
        output: Output,
        watchers: &Watchers,
    ) -> Self {
        let Output { path, file } = output;
        let kept = Kept::new(name, &identity);
        let end = async move {
            let status = child.wait().await.ok();
            kept.end_left(status).await;
            status
        };
        let open = |_: &Tail| Ok(Follower::new(file));
        Self::watched(name, identity, &path, (end, open), watchers)
    }

    /// Takes over an app that an earlier daemon started by [`AppProcess::spawn_lasting`] with this
    /// `output`. The app's exit status will be unknown. `None` if the process has ended, or its id
    /// is another process' now: see [`last_lines`](super::last_lines) then.
    #[must_use]
    pub fn adopt(
        name: &str,
        identity: &Identity,
        output: &Path,
        watchers: &Watchers,
    ) -> Option<Self> {
        if !identity.is_alive() || !identity.leads_group() {
            return None;
        }
        let process = identity.clone();
        let kept = Kept::new(name, identity);
        let end = async move {
            ended(&process).await;
            kept.end_left(None).await;
            None
        };
        let path = output.to_owned();
        let open = move |tail: &Tail| Follower::resume(&path, tail);
        let identity = identity.clone();
        Some(Self::watched(name, identity, output, (end, open), watchers))
    }

    /// Watches a process until its `end`. `open` may block.
    fn watched(
        name: &str,
        identity: Identity,
        output: &Path,
        (end, open): (
            impl Future<Output = Option<ExitStatus>> + Send + 'static,
            impl FnOnce(&Tail) -> io::Result<Follower> + Send + 'static,
        ),
        watchers: &Watchers,
    ) -> Self {
        let (report, exit) = watch::channel(None);
        let tail = Tail::default();
        let watcher = Watcher {
            identity: identity.clone(),
            output: output.to_owned(),
            tail: tail.clone(),
            report,
        };
        let end = watchers.count(identity.pid, end);
        watchers.start(watcher.run(end, open));
        Self {
            name: name.to_owned(),
            identity,
            lasting: true,
            tail,
            exit,
            channel: None,
        }
    }
}

/// Watches a lasting app as long as the daemon lives.
struct Watcher {
    identity: Identity,
    output: PathBuf,
    tail: Tail,
    report: watch::Sender<Option<Exit>>,
}

impl Watcher {
    /// Waits for the end, kills what the app left behind, and reports once the output is read.
    async fn run(
        self,
        end: impl Future<Output = Option<ExitStatus>>,
        open: impl FnOnce(&Tail) -> io::Result<Follower> + Send + 'static,
    ) {
        let (tail, over) = (self.tail.clone(), Stopper::new());
        let mut reader = task::start(read(open, tail.clone(), over.clone()));
        let mut end = pin!(end);
        let status = tokio::select! {
            status = &mut end => status,
            () = self.report.closed() => {
                // Whoever takes the app over reads on. A child has to be reaped all the same.
                reader.abort();
                end.await;
                return;
            }
        };
        // What the app started and did not end is in its group still, and keeps the id in use.
        self.identity.signal_group(Signal::KILL);
        over.stop();
        if timeout(READ_GRACE, &mut reader).await.is_err() {
            reader.abort();
        }
        self.report(Exit {
            status,
            tail: tail.lines(),
            missing: tail.missing(),
        })
        .await;
    }

    /// Reports the end, and removes the output file once no caller can ask for the end. A daemon
    /// that dies before it has stored the end leaves the file to the next daemon.
    async fn report(self, exit: Exit) {
        if self.report.send(Some(exit)).is_err() {
            return;
        }
        self.report.closed().await;
        if let Err(error) = tokio::fs::remove_file(&self.output).await
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(%error, path = %self.output.display(), "an app's output could not be removed");
        }
    }
}

/// Opens the output and passes it on. An app goes on if its output cannot be read.
async fn read(
    open: impl FnOnce(&Tail) -> io::Result<Follower> + Send + 'static,
    tail: Tail,
    over: Stopper,
) {
    let kept = tail.clone();
    let opened = spawn_blocking(move || open(&kept)).await;
    match opened.map_err(io::Error::other) {
        Ok(Ok(follower)) => follow(follower, Console::stderr().for_app(), tail, over).await,
        Ok(Err(error)) | Err(error) => warn!(%error, "the output of an app cannot be read"),
    }
}

/// Waits for the end of a process that may be nobody's child.
pub(super) async fn ended(process: &Identity) {
    #[cfg(target_os = "linux")]
    if let Ok(()) = pidfd_ended(process).await {
        return;
    }
    poll_ended(process).await;
}

async fn poll_ended(process: &Identity) {
    while process.is_alive() {
        sleep(POLL).await;
    }
}

/// As [`ended`]. An error means that the system cannot report the end.
#[cfg(target_os = "linux")]
async fn pidfd_ended(process: &Identity) -> io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open};
    use tokio::io::{Interest, unix::AsyncFd};

    let pid = process.group().ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    #[expect(
        deprecated,
        reason = "the only safe way there is; its warning is of types that change their descriptor or do not own it"
    )]
    let pidfd = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
    // Between the last look at the id and its opening it may have become another's.
    if process.is_alive() {
        pidfd.readable().await?.retain_ready();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
