//! The host of app processes.

use std::fmt;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result, Runtime};

use super::{Head, Host};

/// What admits an app process.
#[derive(Clone, PartialEq, Eq)]
pub enum AppProof {
    /// Its token. An empty token is a token that nobody has.
    Token(String),
    /// The run that it names. Processes of flwr 1.20 to 1.22 show their token with inputs and
    /// outputs only. The daemon decides what the run opens without a token.
    Named(RunId),
    /// Nothing: its release knows no tokens. It is admitted where the daemon itself starts such
    /// processes.
    Tokenless(Option<RunId>),
    /// Nothing: somebody else has started it, and it has made its run itself.
    Stranger(RunId),
}

/// Does not show the token.
impl fmt::Debug for AppProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(…)"),
            Self::Named(run) => write!(f, "Named({run})"),
            Self::Tokenless(Some(run)) => write!(f, "Tokenless({run})"),
            Self::Tokenless(None) => f.write_str("Tokenless"),
            Self::Stranger(run) => write!(f, "Stranger({run})"),
        }
    }
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

/// A daemon, as the doors for app processes see it.
pub trait RuntimeHost: Host + Jobs {
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
}

/// The SuperLink, as the doors for ServerApps see it.
pub trait ServerAppHost: RuntimeHost {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let shown = format!("{:?}", AppProof::Token("secret".to_owned()));
        assert_eq!(shown, "Token(…)");
        let run = RunId(7);
        let shown = [AppProof::Named(run), AppProof::Tokenless(None)];
        assert_eq!(format!("{shown:?}"), "[Named(7), Tokenless]");
    }
}
