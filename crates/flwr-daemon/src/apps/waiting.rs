//! A prepared ServerApp process: all imports are done, and the process waits for its run.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Child;

use super::command::waiting_serverapp_command;
use super::keeper::Life;
use super::output::Output;
use super::process::{program, start};
use super::{AppCommand, AppProcess, Error, Identity, Program, Watchers};
use crate::appio::Opened;

/// A prepared process. It ends when this value is dropped, and when the daemon dies.
#[derive(Debug)]
pub struct WaitingApp {
    identity: Identity,
    /// The other end of its stdin.
    stdin: UnixStream,
    /// The output file, if the process will outlive the daemon.
    output: Option<Output>,
    /// Taken when the process gets its run.
    child: Option<Child>,
}

impl WaitingApp {
    /// Starts a process of this `flwr-serverapp`. It writes to the file `output`, or to the
    /// daemon's own stdout and stderr. `None` if the program is no Python script. `flwr_dir` is
    /// Flower's directory, if it is not the default one.
    ///
    /// # Errors
    /// The system cannot create the file or start the program.
    pub fn spawn(
        serverapp: &Program,
        flwr_dir: Option<&Path>,
        output: Option<&Path>,
    ) -> Result<Option<Self>, Error> {
        let Some(command) = waiting_serverapp_command(serverapp, flwr_dir) else {
            return Ok(None);
        };
        let life = if output.is_some() {
            Life::Own
        } else {
            Life::Daemon
        };
        let mut program = program(&command, life);
        let (stdin, theirs) = UnixStream::pair().map_err(|source| Error::Spawn {
            program: serverapp.path().display().to_string(),
            source,
        })?;
        program.stdin(OwnedFd::from(theirs));
        let output = output.map(Output::create).transpose()?;
        match &output {
            Some(output) => output.attach_to(&mut program)?,
            None => {
                program.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        let started = start(&command, &mut program);
        let (child, identity) = started.inspect_err(|_| {
            output.iter().for_each(Output::discard);
        })?;
        Ok(Some(Self {
            identity,
            stdin,
            output,
            child: Some(child),
        }))
    }

    /// Makes the process the app of a command that [`serverapp_command`](super::serverapp_command)
    /// made for the same program. A process with an output file writes to `output_of_run` from now
    /// on, and outlives the daemon.
    ///
    /// # Errors
    /// The process has ended, or its output file cannot be renamed. The app has not begun then.
    pub fn begin(
        mut self,
        command: &AppCommand,
        output_of_run: Option<&Path>,
        watchers: &Watchers,
    ) -> Result<AppProcess, Error> {
        let failed = |source| Error::Spawn {
            program: command.program.display().to_string(),
            source,
        };
        if let (Some(output), Some(path)) = (&mut self.output, output_of_run) {
            // Before the app writes anything that belongs to the run.
            fs::rename(&output.path, path).map_err(failed)?;
            path.clone_into(&mut output.path);
        }
        let channel = self.tell(command).map_err(failed)?;
        let gone = || failed(io::Error::other("it has ended"));
        let child = self.child.take().ok_or_else(gone)?;
        let identity = self.identity.clone();
        let app = match self.output.take() {
            None => AppProcess::of_child(&command.name, child, identity, watchers),
            Some(output) => AppProcess::lasting(&command.name, child, identity, output, watchers),
        };
        Ok(app.with_channel(channel))
    }

    fn tell(&mut self, command: &AppCommand) -> io::Result<Option<Opened>> {
        let gone = || io::Error::other("it has ended");
        if self.child.as_mut().ok_or_else(gone)?.try_wait()?.is_some() {
            return Err(gone());
        }
        command.tell(&self.stdin, &command.environment())
    }
}

impl Drop for WaitingApp {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.identity.end_all();
        self.output.iter().for_each(Output::discard);
    }
}

#[cfg(test)]
mod tests;
