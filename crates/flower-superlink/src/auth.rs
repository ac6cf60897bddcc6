//! Which keys may speak, and which clients with a certificate.

use std::sync::Arc;

use flwr_core::refusal::Refusal;
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::PublicKey;

mod clients;
mod people;

pub use clients::{is_issued_to, require_listed, require_own};
pub use people::People;

/// Which keys may speak.
#[derive(Debug, Clone)]
pub enum Policy {
    /// Every key: a node is whoever has the key that it came with.
    AnyKey,
    /// The listed ones.
    Listed(Arc<FromFile<AllowList>>),
    /// Those that people have registered.
    Enrolled,
    /// The listed ones, and those that people have registered.
    ListedOrEnrolled(Arc<FromFile<AllowList>>),
}

impl Policy {
    /// The list of keys, if there is one.
    #[must_use]
    pub const fn list(&self) -> Option<&Arc<FromFile<AllowList>>> {
        match self {
            Self::AnyKey | Self::Enrolled => None,
            Self::Listed(keys) | Self::ListedOrEnrolled(keys) => Some(keys),
        }
    }

    /// Checks that people register and unregister nodes.
    ///
    /// # Errors
    /// If a list of keys decides in their place.
    pub fn open_to_enrolment(&self) -> Result<(), Refusal> {
        match self {
            Self::AnyKey | Self::Enrolled | Self::ListedOrEnrolled(_) => Ok(()),
            Self::Listed(keys) => Err(Refusal::KeysAreListed(keys.path().display().to_string())),
        }
    }

    /// Whether people alone register nodes (`--enable-supernode-auth`).
    #[must_use]
    pub const fn enrolls(&self) -> bool {
        matches!(self, Self::Enrolled | Self::ListedOrEnrolled(_))
    }

    /// Whether nodes register themselves.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::AnyKey)
    }

    /// Whether a list names the key.
    #[must_use]
    pub fn lists(&self, key: &PublicKey) -> bool {
        self.list().is_some_and(|keys| keys.now().contains(key))
    }

    /// Whether the holder of this key, or of none, may speak now. `is_enrolled`: a person has
    /// registered the key.
    #[must_use]
    pub fn admits(&self, key: Option<&PublicKey>, is_enrolled: bool) -> bool {
        self.is_open() || (self.enrolls() && is_enrolled) || key.is_some_and(|key| self.lists(key))
    }
}
