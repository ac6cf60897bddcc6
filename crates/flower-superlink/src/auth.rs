//! Which keys may speak, and which clients with a certificate.

use std::sync::Arc;

use flwr_core::refusal::Refusal;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PublicKey;

mod clients;
mod people;

pub use clients::require_listed;
pub use people::People;

/// Which keys may speak.
#[derive(Debug, Clone)]
pub enum Policy {
    /// Every key: a node is whoever has the key that it came with.
    AnyKey,
    /// The listed ones.
    Listed(Arc<FromFile<AllowList>>),
}

impl Policy {
    /// Whether a list names the key.
    #[must_use]
    pub fn lists(&self, key: &PublicKey) -> bool {
        match self {
            Self::AnyKey => false,
            Self::Listed(keys) => keys.now().contains(key),
        }
    }

    /// Whether people register and unregister nodes.
    ///
    /// # Errors
    /// If a list of keys decides in their place.
    pub fn open_to_enrolment(&self) -> Result<(), Refusal> {
        match self {
            Self::AnyKey => Ok(()),
            Self::Listed(keys) => Err(Refusal::KeysAreListed(keys.path().display().to_string())),
        }
    }

    /// Whether the holder of this key, or of none, may speak now.
    #[must_use]
    pub fn admits(&self, key: Option<&PublicKey>) -> bool {
        match self {
            Self::AnyKey => true,
            Self::Listed(keys) => key.is_some_and(|key| keys.now().contains(key)),
        }
    }
}
