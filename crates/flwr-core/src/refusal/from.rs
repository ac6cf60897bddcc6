//! Converts errors of reading and checking a request into refusals.

use super::Refusal;
use crate::cause::chain;
use crate::config::ConfigError;
use crate::fab::FabError;
use crate::message::Flaws;
use crate::object::{InvalidObjectId, TreeError};
use crate::run::InvalidStatus;

impl From<FabError> for Refusal {
    fn from(error: FabError) -> Self {
        Self::Fab(chain(&error))
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::RunConfig(Box::new(error))
    }
}

impl From<Flaws> for Refusal {
    fn from(flaws: Flaws) -> Self {
        Self::Malformed(flaws)
    }
}

impl From<TreeError> for Refusal {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

impl From<InvalidObjectId> for Refusal {
    fn from(error: InvalidObjectId) -> Self {
        Self::ObjectId(error)
    }
}

impl From<InvalidStatus> for Refusal {
    fn from(error: InvalidStatus) -> Self {
        Self::Status(error)
    }
}
