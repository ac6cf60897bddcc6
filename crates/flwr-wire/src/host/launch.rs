//! The host of those who start ServerApps on another machine.

use flwr_core::port::{Launch, Result};

use super::{Head, Host};

/// The SuperLink, as the door for launches sees it.
pub trait LaunchHost: Host {
    /// A session of somebody who starts ServerApps.
    type Launch: Launch;

    /// Opens a session for a caller over this connection.
    ///
    /// # Errors
    /// If runs may not be started over it.
    fn admit(&self, head: &Head) -> Result<Self::Launch>;
}
