//! A template: a process that has loaded a run's app and forks a process for each message of the
//! run.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitStatus;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::oneshot;

use super::link::{Answer, Link};
use super::{ForkServer, Forked, Output, Place, failed};
use crate::apps::{AppCommand, AppProcess, Error, Identity};

/// The app to load.
#[derive(Clone, Copy, Debug)]
pub struct AppBundle<'a> {
    /// The publisher and name, in flwr's form.
    pub fab_id: &'a str,
    /// The version.
    pub fab_version: &'a str,
    /// The hash of its bundle.
    pub fab_hash: &'a str,
    /// The content of the bundle.
    pub content: &'a [u8],
    /// Flower's directory, for the installation, if it is not the default one.
    pub flwr_dir: Option<&'a Path>,
}

/// The outcome of loading an app for a run's first message.
#[derive(Debug)]
pub enum Loaded {
    /// The message has a process, and the template will fork those of the next messages.
    Shared {
        /// The template of the run.
        template: Template,
        /// The message's process.
        first: AppProcess,
    },
    /// The message has the process that loaded the app. No other message may share the process.
    Alone {
        /// The message's process.
        first: AppProcess,
        /// The reason against sharing.
        reason: String,
    },
    /// The app could not be loaded in a template. The message has no process.
    Refused(String),
}

/// Forks a process for each message of a run. The template ends when this value is dropped. Its
/// forks go on.
#[derive(Debug)]
pub struct Template {
    server: ForkServer,
    link: Link,
    process: Process,
}

/// The template's own process. During an import the process reads no requests, so it is killed by a
/// signal.
#[derive(Debug)]
struct Process(Option<Identity>);

impl ForkServer {
    /// Loads a run's app in a fork of this server, for the run's first message. This takes as long
    /// as the app's imports.
    ///
    /// # Errors
    /// The server, or the process that loads the app, has ended.
    pub async fn load(&self, command: &AppCommand, app: AppBundle<'_>) -> Result<Loaded, Error> {
        let loaded = self.try_load(command, app).await;
        loaded.map_err(|source| failed(&command.program, source))
    }

    async fn try_load(&self, command: &AppCommand, app: AppBundle<'_>) -> io::Result<Loaded> {
        let (link, theirs) = Link::pair(&self.0.watchers)?;
        let answer = self.ask(json!({"do": "template"}), &[theirs]).await?;
        let (process, ended) = match answer {
            Answer::Refused(reason) => return Ok(Loaded::Refused(reason)),
            Answer::Started { pid, status, .. } => (Process(Some(Identity::of_child(pid))), status),
        };
        let template = Template {
            server: self.clone(),
            link,
            process,
        };
        let (output, mut files) = Output::pipes()?;
        files.push(in_memory(app.content)?);
        let mut request = json!({"do": "load", "arguments": command.own_arguments(), "app": {
            "fab_id": app.fab_id,
            "fab_version": app.fab_version,
            "fab_hash": app.fab_hash,
            "flwr_dir": app.flwr_dir.map(Path::to_string_lossy),
        }});
        let channel = command.open_channel(&mut request, &mut files);
        let answer = template.link.ask(request, &files).await?;
        drop(files);
        Ok(match answer {
            Answer::Refused(reason) => Loaded::Refused(reason),
            Answer::Started {
                pid,
                alone: None,
                status,
            } => {
                let first = self.forked(command, pid, Place::Fresh, output, status);
                let first = first.with_channel(channel);
                Loaded::Shared { template, first }
            }
            Answer::Started {
                alone: Some(reason),
                ..
            } => {
                let first = template.become_app(command, output, ended);
                let first = first.with_channel(channel);
                Loaded::Alone { first, reason }
            }
        })
    }
}

impl Template {
    /// Forks a process for a message.
    ///
    /// # Errors
    /// The template has ended.
    pub async fn run(&self, command: &AppCommand) -> Result<Forked, Error> {
        let failed = |source| failed(&command.program, source);
        let (output, mut files) = Output::pipes().map_err(failed)?;
        let mut request = json!({"do": "run", "arguments": command.own_arguments()});
        let channel = command.open_channel(&mut request, &mut files);
        Ok(
            match self.link.ask(request, &files).await.map_err(failed)? {
                Answer::Refused(reason) => Forked::Refused(reason),
                Answer::Started { pid, status, .. } => {
                    let app = self
                        .server
                        .forked(command, pid, Place::Fresh, output, status);
                    Forked::Started(app.with_channel(channel))
                }
            },
        )
    }

    /// Turns the template's own process into the app of a message. The fork server reports its end.
    fn become_app(
        mut self,
        command: &AppCommand,
        output: Output,
        ended: oneshot::Receiver<ExitStatus>,
    ) -> AppProcess {
        let pid = self.process.0.take().map_or(0, |process| process.pid);
        self.server
            .forked(command, pid, Place::Fresh, output, ended)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.signal_group(Signal::KILL);
        }
    }
}

/// A file in memory with these bytes.
fn in_memory(content: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("bundle", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}
