//! An app process. It is started under a keeper in a process group of its own, watched, and ended
//! with all its descendants.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::Signal;
use tokio::io::{AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::command::Stdin;
use super::keeper::{self, Life};
use super::leftovers::Kept;
use super::tail::{Tail, pass_on};
use super::{AppCommand, Error, Exit, Identity, Watchers};
use crate::appio::Opened;
use crate::console::Console;
use crate::task::{self, Task};

/// The time limit for reading on after an app's end: a process that the app left may hold the pipe.
pub(super) const READ_GRACE: Duration = Duration::from_secs(1);

/// A running app. Dropping this value kills the app and all its descendants, unless the app is a
/// lasting one.
#[derive(Debug)]
pub struct AppProcess {
    pub(super) name: String,
    pub(super) identity: Identity,
    /// Whether the app goes on when this value is dropped or the daemon dies.
    pub(super) lasting: bool,
    pub(super) tail: Tail,
    pub(super) exit: watch::Receiver<Option<Exit>>,
    /// What answers the app's calls over its native channel, if it has one.
    pub(super) channel: Option<Task<()>>,
}

impl AppProcess {
    /// Starts the app. Its output goes to the daemon's own stdout and stderr, and its stdin is
    /// empty.
    ///
    /// # Errors
    /// The system cannot start the program.
    pub fn spawn(command: &AppCommand, watchers: &Watchers) -> Result<Self, Error> {
        let Stdin { stdio, channel } = stdin(command)?;
        Ok(Self::spawn_with(command, stdio, watchers)?.with_channel(channel))
    }

    /// Answers the app's calls over this channel, if it has one, for as long as this value lives.
    pub(super) fn with_channel(mut self, channel: Option<Opened>) -> Self {
        self.channel = channel.map(|channel| channel.serve(&self.identity));
        self
    }

    /// As [`Self::spawn`], with a stdin.
    pub(super) fn spawn_with(
        command: &AppCommand,
        stdin: Stdio,
        watchers: &Watchers,
    ) -> Result<Self, Error> {
        let mut program = program(command, Life::Daemon);
        program
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let (child, identity) = start(command, &mut program)?;
        Ok(Self::of_child(&command.name, child, identity, watchers))
    }

    /// Takes a child as an app whose output comes through pipes.
    pub(super) fn of_child(
        name: &str,
        mut child: Child,
        identity: Identity,
        watchers: &Watchers,
    ) -> Self {
        let readers = Readers::start(child.stdout.take(), child.stderr.take());
        let group = Some(identity.clone());
        let kept = Kept::new(name, &identity);
        let end = async move {
            let status = child.wait().await.ok();
            kept.end_left(status).await;
            status
        };
        Self::piped(name, identity, group, (readers, end), watchers)
    }

    /// Watches an app, whose output comes through pipes, until its `end`. Then kills its `group`.
    pub(super) fn piped(
        name: &str,
        identity: Identity,
        group: Option<Identity>,
        (readers, end): (
            Readers,
            impl Future<Output = Option<ExitStatus>> + Send + 'static,
        ),
        watchers: &Watchers,
    ) -> Self {
        let (report, exit) = watch::channel(None);
        let tail = readers.tail.clone();
        let end = watchers.count(identity.pid, end);
        let watch = async move {
            let status = end.await;
            if let Some(group) = group {
                // Processes that the app left are still in its group, so the id is in use.
                group.signal_group(Signal::KILL);
            }
            let tail = readers.finish().await;
            report.send_replace(Some(Exit {
                status,
                tail: tail.lines(),
                missing: tail.missing(),
            }));
        };
        watchers.start(watch);
        Self {
            name: name.to_owned(),
            identity,
            lasting: false,
            tail,
            exit,
            channel: None,
        }
    }

    /// The app's name in logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the process and of its group. The process is the keeper, the parent of the app.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.identity.pid
    }

    /// The identity of the process, by which a later daemon finds a lasting app again.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// The last lines so far, in the form of [`Exit::tail`].
    #[must_use]
    pub fn last_lines(&self) -> Vec<String> {
        self.tail.lines()
    }

    /// Whether the app runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Waits until the app has ended and its output is read. Any number of callers may wait.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or_default(),
            // The watcher is gone only when the runtime goes down.
            Err(_) => Exit::default(),
        }
    }

    /// Ends the app and all its descendants: by SIGTERM, and after `grace` by SIGKILL.
    pub async fn terminate(&self, grace: Duration) -> Exit {
        if self.is_running() {
            self.identity.signal_group(Signal::TERM);
        }
        if let Ok(exit) = timeout(grace, self.wait()).await {
            return exit;
        }
        self.kill();
        self.wait().await
    }

    /// Kills the app and all its descendants, if the app still runs.
    pub fn kill(&self) {
        if self.is_running() {
            self.identity.end_all();
        }
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        if !self.lasting {
            self.kill();
        }
    }
}

/// The stdin of an app.
pub(super) fn stdin(command: &AppCommand) -> Result<Stdin, Error> {
    let failed = |source| Error::of_spawn(&command.program, source);
    command.stdin().map_err(failed)
}

/// The command of the keeper for an app. Stdin is empty, and only the output is not set.
pub(super) fn program(command: &AppCommand, life: Life) -> Command {
    let mut program = keeper::command(command.program.as_os_str(), life);
    program
        .args(&command.args)
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        // With a group of its own the app gets no Ctrl-C of the daemon's terminal: the daemon ends
        // its apps in order.
        .process_group(0);
    program
}

/// Starts a command of [`program`].
pub(super) fn start(
    command: &AppCommand,
    program: &mut Command,
) -> Result<(Child, Identity), Error> {
    let failed = |source| Error::of_spawn(&command.program, source);
    // The keeper could report this error only as the app's last line.
    access(&command.program, Access::EXEC_OK).map_err(|error| failed(error.into()))?;
    let child = program.spawn().map_err(failed)?;
    let pid = child
        .id()
        .ok_or_else(|| failed(io::Error::other("it ended at once")))?;
    Ok((child, Identity::of_child(pid)))
}

/// The tasks that pass on an app's output and keep its last lines.
pub(super) struct Readers {
    tasks: Vec<Task<()>>,
    tail: Tail,
}

impl Readers {
    /// Reads an app's stdout and stderr, if these are pipes.
    pub(super) fn start<O, E>(stdout: Option<O>, stderr: Option<E>) -> Self
    where
        O: AsyncRead + Send + Unpin + 'static,
        E: AsyncRead + Send + Unpin + 'static,
    {
        let tail = Tail::default();
        let out = stdout.map(|pipe| {
            task::start(pass_on(
                BufReader::new(pipe),
                Console::stdout().for_app(),
                tail.clone(),
            ))
        });
        let err = stderr.map(|pipe| {
            task::start(pass_on(
                BufReader::new(pipe),
                Console::stderr().for_app(),
                tail.clone(),
            ))
        });
        let tasks = out.into_iter().chain(err).collect();
        Self { tasks, tail }
    }

    /// Reads on for [`READ_GRACE`] after the app's end. Gives the last lines.
    async fn finish(self) -> Tail {
        for mut task in self.tasks {
            if timeout(READ_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
        self.tail
    }
}

#[cfg(test)]
mod tests;
