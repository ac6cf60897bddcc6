//! App processes by fork: a Python process that has imported what apps need, and never runs one
//! itself, forks a fresh process for each. That costs milliseconds in place of a second, and the
//! modules are in memory once.
//!
//! The lines of Python are in `forkserver.py`, with what is said between it and this file.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::interpreter::Interpreter;
use super::lasting::ended;
use super::process::Readers;
use super::{AppCommand, AppProcess, Error, Identity};

/// The other side.
const SERVER: &str = include_str!("forkserver.py");
/// How long a process may take to be there. The server may be importing what the last one did.
const START: Duration = Duration::from_secs(60);

/// A process from which app processes are forked. It ends when this is dropped. The forked processes
/// end with it where the server has a keeper: they are of one run.
#[derive(Debug)]
pub struct ForkServer {
    process: AppProcess,
    link: OwnedWriteHalf,
    jobs: Arc<Mutex<Jobs>>,
}

/// Whether an app gets a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A fresh process, forked.
    Fresh,
    /// The server's process, in which earlier apps were run, and later ones will be.
    Server,
}

#[derive(Debug, Default)]
struct Jobs {
    next: u64,
    waiting: HashMap<u64, Job>,
}

/// What is still to be heard of an app.
#[derive(Debug)]
struct Job {
    pid: Option<oneshot::Sender<u32>>,
    status: Option<oneshot::Sender<ExitStatus>>,
}

/// What the server says.
#[derive(Debug, Deserialize)]
struct Answer {
    id: u64,
    pid: Option<u32>,
    status: Option<i32>,
}

impl ForkServer {
    /// Starts a server for this program; `None` where the program is no Python script.
    ///
    /// # Errors
    /// The system cannot start its Python.
    pub fn start(program: &Path) -> Result<Option<Self>, Error> {
        let Some(Interpreter { python, options }) = Interpreter::of(program) else {
            return Ok(None);
        };
        let failed = |source| Error::Spawn {
            program: python.display().to_string(),
            source,
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let theirs = theirs.into_std().map_err(failed)?;
        theirs.set_nonblocking(false).map_err(failed)?;
        let script = ["-c".into(), SERVER.into(), program.into()];
        let command = AppCommand {
            program: python.clone(),
            args: options.into_iter().chain(script).collect(),
            env: Vec::new(),
            name: "fork server".to_owned(),
        };
        let process = AppProcess::spawn_with(&command, Stdio::from(OwnedFd::from(theirs)))?;
        let ((heard, link), jobs) = (ours.into_split(), Arc::default());
        tokio::spawn(listen(heard, Arc::clone(&jobs)));
        Ok(Some(Self {
            process,
            link,
            jobs,
        }))
    }

    /// Whether apps can be started from it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Starts an app; its program is the server's.
    ///
    /// # Errors
    /// The server has ended, or does not answer.
    pub async fn run(&self, command: &AppCommand, place: Place) -> Result<AppProcess, Error> {
        self.request(command, place)
            .await
            .map_err(|source| Error::Spawn {
                program: command.program.display().to_string(),
                source,
            })
    }

    async fn request(&self, command: &AppCommand, place: Place) -> io::Result<AppProcess> {
        let (out, stdout) = pipe::pipe()?;
        let (err, stderr) = pipe::pipe()?;
        let files = [out.into_blocking_fd()?, err.into_blocking_fd()?];
        let (pid, pid_told) = oneshot::channel();
        let (status, status_told) = oneshot::channel();
        let id = self.jobs.lock().add(Job {
            pid: Some(pid),
            status: Some(status),
        });
        self.send(id, command, place, &files).await?;
        drop(files);
        let gone = || io::Error::other("the fork server does not answer");
        let Ok(Ok(pid)) = timeout(START, pid_told).await else {
            self.jobs.lock().waiting.remove(&id);
            return Err(gone());
        };
        let identity = Identity::of_child(pid);
        let readers = Readers::start(Some(stdout), Some(stderr));
        let group = (place == Place::Fresh).then(|| identity.clone());
        let process = identity.clone();
        let end = async move {
            let status = status_told.await.ok();
            if status.is_none() {
                // The server died. Nobody else will tell of the end of its forks; without a keeper
                // they go on.
                ended(&process).await;
            }
            status
        };
        let name = &command.name;
        Ok(AppProcess::piped(name, identity, group, readers, end))
    }

    async fn send(
        &self,
        id: u64,
        command: &AppCommand,
        place: Place,
        files: &[OwnedFd; 2],
    ) -> io::Result<()> {
        let arguments: Vec<_> = command
            .args
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        let stay = place == Place::Server;
        let environment = command.environment();
        let line = serde_json::json!({
            "id": id,
            "arguments": arguments,
            "environment": environment,
            "stay": stay,
        });
        let line = format!("{line}\n");
        let link = self.link.as_ref();
        let sent = link
            .async_io(Interest::WRITABLE, || send_with(link, &line, files))
            .await?;
        if sent == line.len() {
            return Ok(());
        }
        Err(io::Error::other("the fork server does not listen"))
    }
}

impl Jobs {
    fn add(&mut self, job: Job) -> u64 {
        self.next += 1;
        self.waiting.insert(self.next, job);
        self.next
    }

    fn hear(&mut self, answer: &Answer) {
        let Some(job) = self.waiting.get_mut(&answer.id) else {
            return;
        };
        if let Some(pid) = answer.pid
            && let Some(told) = job.pid.take()
        {
            // Whoever asked may have given up.
            let _ = told.send(pid);
        }
        if let Some(status) = answer.status {
            let job = self.waiting.remove(&answer.id);
            if let Some(told) = job.and_then(|job| job.status) {
                let _ = told.send(ExitStatus::from_raw(status));
            }
        }
    }
}

fn send_with(link: &UnixStream, line: &str, files: &[OwnedFd; 2]) -> io::Result<usize> {
    let files = [files[0].as_fd(), files[1].as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    let line = [IoSlice::new(line.as_bytes())];
    Ok(sendmsg(link, &line, &mut control, SendFlags::NOSIGNAL)?)
}

/// Hears what the server says to its end. Who still waits then hears nothing any more.
async fn listen(heard: OwnedReadHalf, jobs: Arc<Mutex<Jobs>>) {
    let mut lines = BufReader::new(heard).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(answer) = serde_json::from_str(&line) {
            jobs.lock().hear(&answer);
        }
    }
    jobs.lock().waiting.clear();
}

#[cfg(test)]
mod tests;
