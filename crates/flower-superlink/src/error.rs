//! Why the SuperLink does not do what it is asked.

use flwr_core::config::ConfigError;
use flwr_core::message::Flaws;
use flwr_core::object::{InvalidObjectId, TreeError};
use flwr_core::refusal::Refusal;
use thiserror::Error;

/// Why the SuperLink does not do what it is asked. `host` makes a failure of a port of it.
#[derive(Debug, Error)]
pub enum Error {
    /// The answer is "no".
    #[error("{0}")]
    Refused(Refusal),
    /// The state's backend failed.
    #[error("the state could not be read or written")]
    State(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bytes of objects or bundles could not be kept or read.
    #[error(transparent)]
    Bytes(#[from] flwr_daemon::objects::Error),
    /// The daemon ends.
    #[error("the SuperLink is shutting down")]
    Stopping,
    /// The system has no random numbers to give.
    #[error("the system's random number generator failed")]
    Random,
}

/// What the SuperLink gives.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Flaws> for Error {
    fn from(flaws: Flaws) -> Self {
        Refusal::from(flaws).into()
    }
}

impl From<TreeError> for Error {
    fn from(error: TreeError) -> Self {
        Refusal::from(error).into()
    }
}

impl From<InvalidObjectId> for Error {
    fn from(error: InvalidObjectId) -> Self {
        Refusal::from(error).into()
    }
}
