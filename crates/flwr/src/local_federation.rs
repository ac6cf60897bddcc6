//! The facts of a running local federation. `local` keeps them in `federation.json`, and `render`
//! prints them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A running local federation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LocalFederation {
    /// The process id of the supervisor.
    pub(crate) pid: u32,
    /// The time at which the federation was up, in RFC 3339.
    pub(crate) since: String,
    /// The address of the SuperLink's Control API, for `flwr`.
    pub(crate) address: String,
    /// The address of the SuperLink's Fleet API, for further SuperNodes.
    pub(crate) fleet_address: String,
    /// The PEM file with the CA of the SuperLink.
    pub(crate) root_certificates: PathBuf,
    /// The number of SuperNodes that `flwr up` started.
    pub(crate) supernodes: u32,
    /// The log file; `None` if the log goes to the terminal.
    pub(crate) log: Option<PathBuf>,
}
