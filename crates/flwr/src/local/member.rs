//! One daemon of the local federation: starts the daemon, passes on its output, restarts the daemon
//! after a crash, and stops it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use flwr_core::monotonic;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A daemon that ends within this time counts as a failed start.
const STARTED: Duration = Duration::from_secs(3);
/// The pause before a restart.
const PAUSE: Duration = Duration::from_secs(1);
/// The limit of failed starts in a row.
const ATTEMPTS: u32 = 3;
/// The time limit for a stop. Daemons take up to 10 s for their apps.
const GRACE: Duration = Duration::from_secs(20);
/// The time limit for the rest of an ended daemon's output.
const READ_GRACE: Duration = Duration::from_secs(1);
/// The exit status for wrong flags. A restart cannot help then.
const USAGE: i32 = 2;

/// How to start a daemon.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The name in the log.
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// `PATH` for the daemon, with the programs that run apps.
    pub(super) path: OsString,
}

/// A line of a daemon, or a note about the daemon.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) text: String,
}

/// The reason for giving up a daemon.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fallen {
    /// The daemon could not be started.
    #[error("{name} could not be started")]
    Spawn { name: String, source: io::Error },
    /// The daemon ends again and again.
    #[error("{name} ended ({status}); its last lines tell why")]
    Ended { name: String, status: ExitStatus },
}

impl Member {
    /// Runs the daemon, with restarts, until the stop.
    pub(super) async fn tend(
        self,
        lines: mpsc::Sender<Line>,
        stop: CancellationToken,
    ) -> Result<(), Fallen> {
        let mut failures = 0;
        loop {
            let begun = monotonic::now();
            let (mut child, readers) = self.spawn(&lines).map_err(|source| Fallen::Spawn {
                name: self.name.clone(),
                source,
            })?;
            // `wait` would close it.
            let _stdin = child.stdin.take();
            let ended = tokio::select! {
                ended = child.wait() => ended,
                () = stop.cancelled() => {
                    end(child).await;
                    read_to_end(readers).await;
                    return Ok(());
                }
            };
            read_to_end(readers).await;
            let status = ended.map_err(|source| Fallen::Spawn {
                name: self.name.clone(),
                source,
            })?;
            failures = if begun.elapsed() < STARTED {
                failures + 1
            } else {
                0
            };
            if failures >= ATTEMPTS || status.code() == Some(USAGE) {
                let name = self.name;
                return Err(Fallen::Ended { name, status });
            }
            self.tell(&lines, format!("ended ({status}); starting it again"))
                .await;
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    async fn tell(&self, lines: &mpsc::Sender<Line>, text: String) {
        let name = self.name.clone();
        // Nobody reads the lines any more.
        let _ = lines.send(Line { name, text }).await;
    }

    /// Starts the daemon, and tasks that pass on its output.
    fn spawn(&self, lines: &mpsc::Sender<Line>) -> io::Result<(Child, JoinSet<()>)> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("PATH", &self.path)
            // The daemon stops when this pipe closes, also if this process is killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Only this process gets Ctrl-C. It stops the daemons in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(pass_on(stdout, self.name.clone(), lines.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(pass_on(stderr, self.name.clone(), lines.clone()));
        }
        Ok((child, readers))
    }
}

/// Passes on a daemon's output until the end of the pipe.
async fn pass_on(pipe: impl AsyncRead + Unpin, name: String, lines: mpsc::Sender<Line>) {
    let mut pipe = BufReader::new(pipe).split(b'\n');
    while let Ok(Some(line)) = pipe.next_segment().await {
        let line = Line {
            name: name.clone(),
            text: String::from_utf8_lossy(&line).into_owned(),
        };
        if lines.send(line).await.is_err() {
            break;
        }
    }
}

/// Waits until the output of an ended daemon is read. A process of the daemon's may keep the pipe
/// open, so the wait has a limit.
async fn read_to_end(mut readers: JoinSet<()>) {
    let read = async { while readers.join_next().await.is_some() {} };
    if timeout(READ_GRACE, read).await.is_err() {
        readers.abort_all();
    }
}

async fn end(mut child: Child) {
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    if let Some(pid) = pid {
        // The daemon may have ended already.
        let _ = kill_process(pid, Signal::TERM);
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        // Dropping it does this too, but does not wait.
        let _ = child.kill().await;
    }
}
