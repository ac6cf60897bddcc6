//! The host of app processes.

use std::fmt;

use bytes::Bytes;
use flwr_core::config::UserConfig;
use flwr_core::id::RunId;
use flwr_core::port::{Jobs, Result, Runtime};
use flwr_security::superexec::SuperexecHeaders;

use super::{Head, Host};

/// What admits an app process.
#[derive(Clone, PartialEq, Eq)]
pub enum AppProof {
    /// Its token. An empty token is a token that nobody has.
    Token(String),
    /// The run that it names. Processes of flwr 1.20 to 1.28 show their token in a few calls only:
    /// the connection on which they did so admits their other calls.
    Named(RunId),
    /// Nothing: its release knows no tokens. It is admitted where the daemon itself starts such
    /// processes, and known by its connection.
    Tokenless(Option<RunId>),
    /// Nothing: somebody else has started it. It has made its run itself, on its connection.
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

/// A call of a caller that starts app processes in the daemon's place, with what proves that it may.
#[derive(Debug, Clone)]
pub struct LauncherProof {
    /// The headers by the secret that the caller shares with the daemon, where it sends them.
    pub headers: Option<SuperexecHeaders>,
    /// The path of the method.
    pub method: &'static str,
    /// The message. The headers are over it.
    pub body: Bytes,
}

impl LauncherProof {
    /// What the headers are over: the path of the method, and the message.
    #[must_use]
    pub fn call(&self) -> (&'static str, &[u8]) {
        (self.method, &self.body)
    }
}

/// A daemon, as the doors for app processes see it.
pub trait RuntimeHost: Host {
    /// A session of an app process.
    type Runtime: Runtime;
    /// A session of a caller that starts app processes.
    type Jobs: Jobs;

    /// Opens a session for whoever gives this proof.
    ///
    /// # Errors
    /// If the proof does not hold.
    fn admit(
        &self,
        proof: AppProof,
        head: &Head,
    ) -> impl Future<Output = Result<Self::Runtime>> + Send;

    /// Opens a session for a caller that starts app processes.
    ///
    /// # Errors
    /// If the caller may not.
    fn admit_launcher(&self, proof: &LauncherProof, head: &Head) -> Result<Self::Jobs>;
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
