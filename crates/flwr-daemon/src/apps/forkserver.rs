//! App processes by fork: a Python process that has imported what the app's program imports forks a
//! process for each message. That costs milliseconds in place of a second, and the modules are in
//! memory once.
//!
//! A [`ForkServer`] never runs an app. Of a run's app it forks a [`Template`], which loads the app
//! once for all messages of the run, where the outcome would be the same each time.
//!
//! The lines of Python are in `forkserver.py`, with what is said between it and this file, and in
//! the files beside `forkserver/watch.py`, which decides what must not be shared.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::interpreter::Interpreter;
use super::lasting::ended;
use super::process::Readers;
use super::{AppCommand, AppProcess, Error, Identity, Watchers};

mod link;
mod template;

use link::{Answer, Link};
pub use template::{AppBundle, Loaded, Template};

/// The other side.
const SERVER: &str = concat!(
    include_str!("ahead.py"),
    include_str!("forkserver/begin.py"),
    include_str!("forkserver/process.py"),
    include_str!("forkserver/watch.py"),
    include_str!("forkserver/template.py"),
    include_str!("forkserver.py"),
);
/// How long a fork may take. The server may be importing what its program needs.
const START: Duration = Duration::from_secs(60);

/// A process from which app processes are forked. It ends when this is dropped and the last of the
/// forked processes has ended. What these have left behind ends with it where the server has a keeper.
#[derive(Clone, Debug)]
pub struct ForkServer(Arc<Server>);

/// The server's end that the daemon holds.
#[derive(Debug)]
struct Server {
    process: AppProcess,
    link: Link,
    /// Those of its forks too.
    watchers: Watchers,
}

/// Whether an app gets a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A fresh process, forked.
    Fresh,
    /// The server's process, in which earlier apps were run, and later ones will be.
    Server,
}

/// What came of asking for a process.
#[derive(Debug)]
pub enum Forked {
    /// There is one.
    Started(AppProcess),
    /// Nothing may be forked any more, and this is the reason.
    Refused(String),
}

/// Our ends of what an app writes to.
#[derive(Debug)]
struct Output(pipe::Receiver, pipe::Receiver);

impl ForkServer {
    /// Starts a server for this program, with these variables beside the daemon's own; `None` where
    /// the program is no Python script.
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
            env: environment.to_vec(),
            name: "fork server".to_owned(),
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

    /// Starts an app; its program is the server's.
    ///
    /// # Errors
    /// The server has ended, or does not answer.
    pub async fn run(&self, command: &AppCommand, place: Place) -> Result<Forked, Error> {
        self.try_run(command, place)
            .await
            .map_err(|source| failed(&command.program, source))
    }

    async fn try_run(&self, command: &AppCommand, place: Place) -> io::Result<Forked> {
        let (output, files) = Output::pipes()?;
        let what = match place {
            Place::Fresh => "run",
            Place::Server => "stay",
        };
        let request = json!({"do": what, "arguments": arguments(command)});
        Ok(match self.ask(request, &files).await? {
            Answer::Refused(reason) => Forked::Refused(reason),
            Answer::Started { pid, status, .. } => {
                Forked::Started(self.forked(command, pid, place, output, status))
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
        // The server ends after the process, whoever lets go of it meanwhile.
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
    /// And the app's ends.
    fn pipes() -> io::Result<(Self, [OwnedFd; 2])> {
        let (out, stdout) = pipe::pipe()?;
        let (err, stderr) = pipe::pipe()?;
        let files = [out.into_blocking_fd()?, err.into_blocking_fd()?];
        Ok((Self(stdout, stderr), files))
    }
}

fn arguments(command: &AppCommand) -> Vec<std::borrow::Cow<'_, str>> {
    command
        .args
        .iter()
        .map(|argument| argument.to_string_lossy())
        .collect()
}

fn failed(program: &Path, source: io::Error) -> Error {
    Error::Spawn {
        program: program.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
