//! A ServerApp process that was started ahead of need: it has done its imports, and waits to be told
//! which run it is for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tracing::debug;

use super::command::{SERVERAPP_PREFIX, waiting_serverapp_command};
use super::process::{program, start};
use super::{AppCommand, AppProcess, Error, Identity, output};

/// A process that waits. It ends when this is dropped, and when the daemon dies.
#[derive(Debug)]
pub struct WaitingApp {
    identity: Identity,
    stdin: Option<ChildStdin>,
    writes: Option<Writes>,
    /// Taken when it begins.
    child: Option<Child>,
}

/// Where a process writes that will outlive the daemon.
#[derive(Debug)]
struct Writes {
    path: PathBuf,
    file: File,
}

impl WaitingApp {
    /// Starts a process of this `flwr-serverapp`, which will write to the file `output`, or to the
    /// daemon's own stdout and stderr. `None` where the program is no Python script.
    ///
    /// # Errors
    /// The system cannot create the file or start the program.
    pub fn spawn(serverapp: &Path, output: Option<&Path>) -> Result<Option<Self>, Error> {
        let Some(command) = waiting_serverapp_command(serverapp) else {
            return Ok(None);
        };
        let mut program = program(&command);
        program.stdin(Stdio::piped());
        let writes = output.map(Writes::to).transpose()?;
        match &writes {
            Some(writes) => {
                program
                    .stdout(Stdio::from(writes.another()?))
                    .stderr(Stdio::from(writes.another()?));
            }
            None => {
                program.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        let (mut child, identity) = start(&command, &mut program)?;
        Ok(Some(Self {
            identity,
            stdin: child.stdin.take(),
            writes,
            child: Some(child),
        }))
    }

    /// Makes it the app of this command, which [`serverapp_command`](super::serverapp_command)
    /// gave for the same program. What it writes goes to the file `output`, if it was started with
    /// one: then it goes on when the daemon dies.
    ///
    /// # Errors
    /// It has ended, or its output cannot get that name. Nothing was begun then.
    pub async fn begin(
        mut self,
        command: &AppCommand,
        output: Option<&Path>,
    ) -> Result<AppProcess, Error> {
        let failed = |source| Error::Spawn {
            program: command.program.display().to_string(),
            source,
        };
        if let (Some(writes), Some(output)) = (&mut self.writes, output) {
            // Before it does anything that would be looked for there.
            fs::rename(&writes.path, output).map_err(failed)?;
            output.clone_into(&mut writes.path);
        }
        self.tell(command).await.map_err(failed)?;
        let gone = || failed(io::Error::other("it has ended"));
        let child = self.child.take().ok_or_else(gone)?;
        let identity = self.identity.clone();
        Ok(match self.writes.take() {
            None => AppProcess::piped(&command.name, child, identity),
            Some(writes) => {
                AppProcess::lasting(&command.name, child, identity, &writes.path, writes.file)
            }
        })
    }

    async fn tell(&mut self, command: &AppCommand) -> io::Result<()> {
        let gone = || io::Error::other("it has ended");
        if self.child.as_mut().ok_or_else(gone)?.try_wait()?.is_some() {
            return Err(gone());
        }
        let arguments = command.args.iter().skip(SERVERAPP_PREFIX);
        let arguments: Vec<_> = arguments
            .map(|argument| argument.to_string_lossy())
            .collect();
        let line = format!("{}\n", serde_json::json!(arguments));
        let mut stdin = self.stdin.take().ok_or_else(gone)?;
        stdin.write_all(line.as_bytes()).await?;
        stdin.flush().await
    }
}

impl Drop for WaitingApp {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.identity.signal_group(Signal::KILL);
        if let Some(writes) = &self.writes
            && let Err(error) = fs::remove_file(&writes.path)
        {
            // It is empty, or as good as.
            debug!(%error, path = %writes.path.display(), "an output was not removed");
        }
    }
}

impl Writes {
    fn to(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            file: output::create(path).map_err(no_output(path))?,
        })
    }

    fn another(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(no_output(&self.path))
    }
}

fn no_output(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Output {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests;
