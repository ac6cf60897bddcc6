//! Who starts the ClientApp for a message, and how.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_daemon::appio::AppChannels;
use flwr_daemon::apps::{
    self, AppBundle, AppProcess, Place, Program, Token, Watchers, app_environment,
    clientapp_command,
};
use tracing::info;

use crate::config::{Launch, Reuse};
use crate::error::Error;

mod prepared;

use prepared::PreparedApps;

/// Starts ClientApps, or leaves that to the operator.
#[derive(Debug)]
pub(crate) enum Launcher {
    /// One process of this node's a message.
    Subprocess {
        /// `flwr-clientapp`.
        program: Program,
        /// Where the process reaches this node.
        address: String,
        /// Flower's directory, if it is not the default one.
        flwr_dir: Option<PathBuf>,
        /// Where processes come from that have done their imports; without it each begins from
        /// nothing.
        prepared: Option<Box<PreparedApps>>,
        /// Whether messages share a process.
        place: Place,
        /// The watchers of these processes.
        watchers: Watchers,
        /// Their native channels. Without them the processes connect to the address.
        channels: Option<AppChannels>,
    },
    /// Somebody else's processes ask for work.
    Process,
}

impl Launcher {
    pub(crate) fn new(
        launch: Launch,
        reachable: SocketAddr,
        flwr_dir: Option<PathBuf>,
        watchers: Watchers,
        channels: Option<AppChannels>,
    ) -> Self {
        match launch {
            Launch::Subprocess {
                program,
                ahead,
                reuse,
            } => {
                let address = reachable.to_string();
                let prepared = || {
                    let environment = app_environment(&program, &address, flwr_dir.as_deref());
                    Box::new(PreparedApps::new(
                        program.path(),
                        environment,
                        watchers.clone(),
                    ))
                };
                Self::Subprocess {
                    prepared: (ahead || reuse == Reuse::Run).then(prepared),
                    watchers,
                    address,
                    flwr_dir,
                    channels,
                    place: match reuse {
                        Reuse::Never => Place::Fresh,
                        Reuse::Run => Place::Server,
                    },
                    program,
                }
            }
            Launch::Process => Self::Process,
        }
    }

    /// Installs the app of a run, if processes of this node will run it. Others install it themselves.
    pub(crate) async fn install(&self, bundle: Bytes) -> Result<(), apps::Error> {
        match self {
            Self::Subprocess { flwr_dir, .. } => apps::install(bundle, flwr_dir.as_deref()).await,
            Self::Process => Ok(()),
        }
    }

    /// Starts the ClientApp for a message of this run; `None` if somebody else will. A process that
    /// is started here gets a token of `issue`, and finds the app in this node's Flower directory.
    pub(crate) async fn start(
        &self,
        run: RunId,
        app: AppBundle<'_>,
        issue: impl FnOnce() -> Result<Token, Error>,
    ) -> Result<Option<AppProcess>, Error> {
        let Self::Subprocess {
            program,
            address,
            flwr_dir,
            prepared,
            place,
            watchers,
            channels,
        } = self
        else {
            info!("waiting for a ClientApp process to take the message");
            return Ok(None);
        };
        let token = issue()?;
        let mut command = clientapp_command(
            program,
            address,
            token.as_str(),
            std::process::id(),
            flwr_dir.as_deref(),
        );
        command.channels.clone_from(channels);
        let app = match prepared {
            Some(prepared) => {
                let app = AppBundle {
                    flwr_dir: flwr_dir.as_deref(),
                    ..app
                };
                prepared.start(run, &command, app, *place).await?
            }
            None => AppProcess::spawn(&command, watchers)?,
        };
        info!(pid = app.id(), "started a ClientApp");
        Ok(Some(app))
    }

    /// The run is over: nothing of it stays in memory.
    pub(crate) fn forget(&self, run: RunId) {
        if let Self::Subprocess {
            prepared: Some(prepared),
            ..
        } = self
        {
            prepared.forget(run);
        }
    }
}
