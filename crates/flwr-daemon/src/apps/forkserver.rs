//! App processes by fork. A Python process imports the modules of the app's program once, and forks
//! a process for each message. A fork takes milliseconds where a start takes a second, and the
//! modules are in memory once.
//!
//! A [`ForkServer`] never runs an app. It forks a [`Template`] for a run. The template loads the
//! app once for all messages of the run, if loading the app again would have the same outcome.
//!
//! `forkserver.py` is the Python side, and describes the protocol with this file. `forkserver/watch.py`
//! decides what messages must not share.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flwr_programs::Interpreter;
use serde_json::{Value, json};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::lasting::ended;
use super::process::Readers;
use super::{AppCommand, AppProcess, Error, Identity, Watchers};

mod link;
mod template;

pub(super) use link::send_with;
use link::{Answer, Link};
pub use template::{AppBundle, Loaded, Template};

/// The program of the Python side.
const SERVER: &str = concat!(
    include_str!("ahead.py"),
    include_str!("forkserver/end.py"),
    include_str!("forkserver/begin.py"),
    include_str!("channel/line.py"),
    include_str!("channel/message.py"),
    include_str!("channel/grpc.py"),
    include_str!("channel/http.py"),
    include_str!("channel.py"),
    include_str!("forkserver/process.py"),
    include_str!("forkserver/watch.py"),
    include_str!("forkserver/template.py"),
    include_str!("forkserver.py"),
);
/// The time limit for a fork. The server may still be importing modules.
const START: Duration = Duration::from_secs(60);

/// A process that forks app processes. The process ends when this value is dropped and its last
/// fork has ended. If the server has a keeper, processes that the forks left behind end too.
#[derive(Clone, Debug)]
pub struct ForkServer(Arc<Server>);

/// The daemon's side of a fork server.
#[derive(Debug)]
struct Server {
    process: AppProcess,
    link: Link,
    /// The watchers of the server and of its forks.
    watchers: Watchers,
}

/// Where an app runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a new fork.
    Fresh,
    /// In the server's own process, which earlier and later messages share.
    Server,
}

/// The answer to a request for a process.
#[derive(Debug)]
pub enum Forked {
    /// The process has started.
    Started(AppProcess),
    /// The server may not fork any more, for this reason.
    Refused(String),
}

/// The daemon's ends of an app's stdout and stderr.
#[derive(Debug)]
struct Output(pipe::Receiver, pipe::Receiver);

impl ForkServer {
    /// Starts a server for this program. Its environment is the daemon's own with these variables
    /// added. `None` if the program is no Python script.
    ///
    /// # Errors
    /// The system cannot start its Python.
    pub fn start(
        program: &Path,
        environment: &[(OsString, OsString)],
        watchers: &Watchers,
    ) -> Result<Option<Self>, Error> {
        let Some(Interpreter { python, options }) = Interpreter::of(program) else {
            return Ok(None);
        };
        let script = ["-c".into(), SERVER.into(), program.into()];
        let (link, theirs) = Link::pair(watchers).map_err(|source| failed(&python, source))?;
        let command = AppCommand {
            program: python,
            args: options.into_iter().chain(script).collect(),
            told: Vec::new(),
            token: None,
            env: environment.to_vec(),
            name: "fork server".to_owned(),
            channels: None,
        };
        let process = AppProcess::spawn_with(&command, Stdio::from(theirs), watchers)?;
        let watchers = watchers.clone();
        Ok(Some(Self(Arc::new(Server {
            process,
            link,
            watchers,
        }))))
    }

    /// Whether apps can be started from it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.process.is_running()
    }

    /// Starts an app. The command's program must be the server's.
    ///
    /// # Errors
    /// The server has ended, or does not answer.
    pub async fn run(&self, command: &AppCommand, place: Place) -> Result<Forked, Error> {
        self.try_run(command, place)
            .await
            .map_err(|source| failed(&command.program, source))
    }

    async fn try_run(&self, command: &AppCommand, place: Place) -> io::Result<Forked> {
        let (output, mut files) = Output::pipes()?;
        let what = match place {
            Place::Fresh => "run",
            Place::Server => "stay",
        };
        let mut request = json!({"do": what, "arguments": command.own_arguments()});
        let channel = command.open_channel(&mut request, &mut files);
        Ok(match self.ask(request, &files).await? {
            Answer::Refused(reason) => Forked::Refused(reason),
            Answer::Started { pid, status, .. } => {
                let app = self.forked(command, pid, place, output, status);
                Forked::Started(app.with_channel(channel))
            }
        })
    }

    /// Watches a process that was forked for an app.
    fn forked(
        &self,
        command: &AppCommand,
        pid: u32,
        place: Place,
        output: Output,
        status: oneshot::Receiver<ExitStatus>,
    ) -> AppProcess {
        let identity = Identity::of_child(pid);
        let readers = Readers::start(Some(output.0), Some(output.1));
        let group = (place == Place::Fresh).then(|| identity.clone());
        let process = identity.clone();
        // This handle keeps the server until the process has ended.
        let (server, watchers) = (self.clone(), &self.0.watchers);
        let end = async move {
            let status = status.await.ok();
            if status.is_none() {
                // The server died. Nobody else will tell of the end of its forks; without a keeper
                // they go on.
                ended(&process).await;
            }
            drop(server);
            status
        };
        AppProcess::piped(&command.name, identity, group, (readers, end), watchers)
    }

    async fn ask(&self, request: Value, files: &[OwnedFd]) -> io::Result<Answer> {
        let late = |_| io::Error::other("the fork server does not answer");
        timeout(START, self.0.link.ask(request, files))
            .await
            .map_err(late)?
    }
}

impl Output {
    /// The pipes, and the app's ends of them.
    fn pipes() -> io::Result<(Self, Vec<OwnedFd>)> {
        let (out, stdout) = pipe::pipe()?;
        let (err, stderr) = pipe::pipe()?;
        let files = vec![out.into_blocking_fd()?, err.into_blocking_fd()?];
        Ok((Self(stdout, stderr), files))
    }
}

fn failed(program: &Path, source: io::Error) -> Error {
    Error::Spawn {
        program: program.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
