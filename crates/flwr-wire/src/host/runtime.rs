//! The host of app processes.

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::id::RunId;
use flwr_core::port::{Result, Runtime};

use super::{Head, Host};

/// What admits an app process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppProof {
    /// Its token.
    Token(String),
    /// The run that it names. Processes of flwr 1.20 to 1.22 show their token with inputs and
    /// outputs only.
    Named(RunId),
    /// Nothing: its release knows no tokens. It is admitted where the daemon itself starts such
    /// processes.
    Tokenless(Option<RunId>),
    /// Nothing: somebody else has started it, and it has made its run itself.
    Stranger(RunId),
}

/// A run that a ServerApp makes which runs already.
#[derive(Debug, Clone)]
pub struct Launch {
    /// `<publisher>/<project name>`; may be empty.
    pub fab_id: String,
    /// The project's version; may be empty.
    pub fab_version: String,
    /// The bundle for the nodes, if there is one.
    pub fab: Option<Bytes>,
    /// What replaces the app's own configuration.
    pub overrides: UserConfig,
}

/// A daemon, as the door for app processes sees it.
pub trait RuntimeHost: Host {
    /// A session of an app process.
    type Runtime: Runtime;

    /// Opens a session for whoever gives this proof.
    ///
    /// # Errors
    /// If the proof does not hold.
    fn admit(
        &self,
        proof: AppProof,
        head: &Head,
    ) -> impl Future<Output = Result<Self::Runtime>> + Send;

    /// The runs that wait for a process that somebody else starts.
    ///
    /// # Errors
    /// If the state fails.
    fn waiting(&self) -> impl Future<Output = Result<Vec<RunId>>> + Send;

    /// The token with which a process that somebody else starts asks for its run. `None`: there is
    /// a token already, or strangers get none here.
    ///
    /// # Errors
    /// If the run is not known or over.
    fn claim(&self, run: RunId) -> impl Future<Output = Result<Option<String>>> + Send;

    /// Makes a run for a ServerApp that somebody else has started.
    ///
    /// # Errors
    /// If strangers may not start runs over this connection, or the FAB does not hold what it says.
    fn launch(&self, launch: Launch, head: &Head) -> impl Future<Output = Result<RunId>> + Send;

    /// Whether the run is over, or not known any more.
    ///
    /// # Errors
    /// If the state fails.
    fn is_over(&self, run: RunId) -> impl Future<Output = Result<bool>> + Send;
}
