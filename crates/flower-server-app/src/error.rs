//! Why there is no run, or none that was completed.

use std::io;

use flwr_client::channel::InvalidProxy;
use flwr_core::address::AddressError;
use flwr_core::id::RunId;
use flwr_core::run::Phase;
use flwr_daemon::apps;
use flwr_daemon::limits::RuntimeError;
use flwr_security::tls::TlsError;
use thiserror::Error;

/// What was typed cannot be used.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Dir(#[from] apps::DirError),
    #[error("--root-certificates")]
    Roots(#[source] TlsError),
    #[error("--server")]
    Server(#[source] AddressError),
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    #[error(transparent)]
    Program(#[from] apps::Error),
    #[error(
        "{0}, which cannot be told its run: install 1.21 or later, or use that version's own flower-server-app"
    )]
    TooOld(String),
}

/// The run was not made, or was not completed.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("signals cannot be received")]
    Signals(#[source] io::Error),
    #[error(
        "this SuperLink starts no runs on its ServerAppIo port: it must be a flower-superlink of this workspace, with --serverappio-tls; or use `flwr run` with its Control port"
    )]
    NotOffered,
    #[error("the run could not be started: {0}")]
    NotStarted(String),
    #[error("no port for the ServerApp")]
    Port(#[source] io::Error),
    #[error("the ServerApp does not start")]
    App(#[source] apps::Error),
    #[error("the ServerApp has lost its way to the SuperLink")]
    LostWay,
    #[error("the ServerApp was cut off")]
    CutOff,
    #[error("the SuperLink does not tell how run {run} ended: {why}")]
    Untold { run: RunId, why: String },
    #[error("the SuperLink does not know run {0} any more")]
    Unknown(RunId),
    #[error("run {run} ended as {phase}: {why}")]
    Unfinished {
        run: RunId,
        phase: Phase,
        why: String,
    },
}
