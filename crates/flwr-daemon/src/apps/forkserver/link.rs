//! The socket between the daemon and a process that forks.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Interest};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use crate::apps::Watchers;

/// The most files that go along with a request.
const MOST_FILES: usize = 4;

/// The daemon's end of the socket. The other process ends when this value is dropped.
#[derive(Debug)]
pub(super) struct Link {
    requests: OwnedWriteHalf,
    jobs: Arc<Mutex<Jobs>>,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// The process has started.
    Started {
        pid: u32,
        /// The reason why the asked process itself runs the app, and no fork of it.
        alone: Option<String>,
        /// The exit status. The sender is dropped if the asked process ends first.
        status: oneshot::Receiver<ExitStatus>,
    },
    /// No process was started, for this reason.
    Refused(String),
}

#[derive(Debug, Default)]
struct Jobs {
    last: u64,
    waiting: HashMap<u64, Job>,
}

/// The outstanding answers to a request.
#[derive(Debug)]
struct Job {
    answer: Option<oneshot::Sender<Answer>>,
    status: Option<oneshot::Sender<ExitStatus>>,
}

/// A line from the other process.
#[derive(Debug, Deserialize)]
struct Line {
    id: u64,
    pid: Option<u32>,
    alone: Option<String>,
    refused: Option<String>,
    status: Option<i32>,
}

// === impl Link ===

impl Link {
    /// A link, and the socket for the other process.
    pub(super) fn pair(watchers: &Watchers) -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let (answers, requests) = ours.into_split();
        let jobs = Arc::default();
        watchers.start(listen(answers, Arc::clone(&jobs)));
        Ok((Self { requests, jobs }, theirs.into()))
    }

    /// Sends a request and waits for the answer, until the other process ends. Callers set a time
    /// limit.
    pub(super) async fn ask(&self, mut request: Value, files: &[OwnedFd]) -> io::Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let id = self.jobs.lock().add(answer);
        request["id"] = id.into();
        let line = format!("{request}\n");
        let socket = self.requests.as_ref();
        let sent = socket
            .async_io(Interest::WRITABLE, || send_with(socket, &line, files))
            .await?;
        if sent != line.len() {
            return Err(io::Error::other("the fork server does not listen"));
        }
        let gone = |_| io::Error::other("the fork server has ended");
        answered.await.map_err(gone)
    }
}

/// Sends a line, and files along with it.
pub(in crate::apps) fn send_with(
    socket: impl AsFd,
    line: &str,
    files: &[OwnedFd],
) -> io::Result<usize> {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::Error::other("too many files for one request"));
    }
    let line = [IoSlice::new(line.as_bytes())];
    Ok(sendmsg(socket, &line, &mut control, SendFlags::NOSIGNAL)?)
}

/// Reads the answers of the other process until it ends. Requests without an answer then fail.
async fn listen(answers: OwnedReadHalf, jobs: Arc<Mutex<Jobs>>) {
    let mut lines = BufReader::new(answers).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(line) = serde_json::from_str(&line) {
            jobs.lock().hear(line);
        }
    }
    jobs.lock().waiting.clear();
}

// === impl Jobs ===

impl Jobs {
    fn add(&mut self, answer: oneshot::Sender<Answer>) -> u64 {
        self.last += 1;
        let job = Job {
            answer: Some(answer),
            status: None,
        };
        self.waiting.insert(self.last, job);
        self.last
    }

    fn hear(&mut self, line: Line) {
        let Some(job) = self.waiting.get_mut(&line.id) else {
            return;
        };
        if let Some(reason) = line.refused {
            let job = self.waiting.remove(&line.id);
            if let Some(answer) = job.and_then(|job| job.answer) {
                // The caller may have given up, here and below.
                let _ = answer.send(Answer::Refused(reason));
            }
            return;
        }
        if let (Some(pid), Some(answer)) = (line.pid, job.answer.take()) {
            let (end, status) = oneshot::channel();
            job.status = Some(end);
            let _ = answer.send(Answer::Started {
                pid,
                alone: line.alone,
                status,
            });
        }
        if let Some(status) = line.status {
            let job = self.waiting.remove(&line.id);
            if let Some(end) = job.and_then(|job| job.status) {
                let _ = end.send(ExitStatus::from_raw(status));
            }
        }
    }
}
