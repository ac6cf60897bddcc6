//! The federation that a command uses, resolved from flags, the app and the user's configuration.

use std::path::PathBuf;

use flwr_core::project::Federation;

/// A federation, with the source of its configuration.
#[derive(Clone, Debug)]
pub(crate) struct ResolvedFederation {
    pub(crate) federation: Federation,
    /// The directory for relative paths in the configuration.
    pub(crate) base: PathBuf,
    /// The configuration file, or another source, for messages.
    pub(crate) source: String,
    /// The reason for this federation, for `-v` and errors.
    pub(crate) why: String,
    /// The directory for credentials: the app's `.flwr`, or Flower's home directory.
    pub(crate) kept: PathBuf,
}

impl ResolvedFederation {
    /// The credentials file with the tokens of a login. flwr 1.22 has the same file for an app's
    /// federation.
    pub(crate) fn credentials(&self) -> PathBuf {
        // A name must not become a path.
        let name = self.federation.name.replace(['/', '\\', '\0'], "_");
        self.kept.join(".credentials").join(format!("{name}.json"))
    }
}
