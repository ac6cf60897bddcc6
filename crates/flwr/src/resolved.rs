//! The federation that a command uses, resolved from flags, the app and the user's configuration.

use std::path::PathBuf;

use flwr_core::project::Federation;

use crate::account::TokenFile;

/// The directory whose logins a federation uses.
#[derive(Clone, Debug)]
pub(crate) enum Logins {
    /// Those of the app in this directory.
    App(PathBuf),
    /// The user's own, in Flower's home directory.
    Home(PathBuf),
}

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
    /// The directory for credentials.
    pub(crate) logins: Logins,
}

impl ResolvedFederation {
    /// Whether a login may be kept for this connection though nothing says that there is one: it is
    /// the user's own, and goes over TLS.
    pub(crate) const fn may_have_login(&self) -> bool {
        let is_own = matches!(self.logins, Logins::Home(_));
        is_own && !self.federation.insecure && self.federation.address.is_some()
    }

    /// The credentials file with the tokens of a login.
    pub(crate) fn credentials(&self) -> TokenFile {
        let name = &self.federation.name;
        match &self.logins {
            Logins::App(root) => TokenFile::in_app(root, name),
            Logins::Home(home) => TokenFile::in_home(home, name),
        }
    }
}
