//! Who starts the ClientApp for a message, and how.

use std::net::SocketAddr;
use std::path::PathBuf;

use flwr_daemon::apps::{AppProcess, clientapp_command};
use flwr_daemon::listen;
use tracing::info;

use crate::config::Launch;
use crate::error::Error;
use crate::work::{Desk, Job};

/// Starts ClientApps, or leaves that to the operator.
#[derive(Debug)]
pub(crate) enum Launcher {
    /// One process of this node's a message.
    Subprocess {
        /// `flwr-clientapp`.
        program: PathBuf,
        /// Where the process reaches this node.
        address: String,
        /// Flower's directory, if it is not the default one.
        flwr_dir: Option<PathBuf>,
    },
    /// Somebody else's processes ask for work.
    Process,
}

impl Launcher {
    pub(crate) fn new(launch: Launch, bound: SocketAddr, flwr_dir: Option<PathBuf>) -> Self {
        match launch {
            Launch::Subprocess(program) => Self::Subprocess {
                program,
                address: listen::reachable(bound).to_string(),
                flwr_dir,
            },
            Launch::Process => Self::Process,
        }
    }

    /// Starts the ClientApp for `job`; `None` if somebody else will.
    pub(crate) fn start(&self, desk: &Desk, job: &Job) -> Result<Option<AppProcess>, Error> {
        let Self::Subprocess {
            program,
            address,
            flwr_dir,
        } = self
        else {
            info!("waiting for a ClientApp process to take the message");
            return Ok(None);
        };
        let token = desk.issue(job)?;
        let command = clientapp_command(
            program,
            address,
            token.as_str(),
            std::process::id(),
            flwr_dir.as_deref(),
        );
        let app = AppProcess::spawn(&command)?;
        info!(pid = app.id(), "started a ClientApp");
        Ok(Some(app))
    }
}
