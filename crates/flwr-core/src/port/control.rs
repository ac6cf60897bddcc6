//! What a person asks of a SuperLink.

use std::collections::BTreeMap;
use std::fmt;
use std::future::ready;
use std::time::Duration;

use bytes::Bytes;

use super::Result;
use crate::config::UserConfig;
use crate::id::{NodeId, RunId};
use crate::refusal::{Feature, Refusal};
use crate::run::Run;
use crate::time::Timestamp;

mod federation;

pub use federation::{AccountInfo, Federation, Member, WholeFederation};

/// What a run is started from.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The app's bundle. Empty: another field names the app.
    pub fab: Bytes,
    /// The SHA-256 of the bundle, as the caller gives it. Empty: the caller gives none.
    pub fab_hash: String,
    /// The app on Flower Hub, in the place of a bundle: `@account/app` or `@account/app==1.2.3`.
    pub app_spec: String,
    /// The federation in which the run is to be. Empty: the default one.
    pub federation: String,
    /// What replaces the app's own configuration.
    pub overrides: UserConfig,
    /// Options of the federation. Only SuperLinks that simulate read them.
    pub options: UserConfig,
}

/// Which runs are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// This one only.
    pub only: Option<RunId>,
    /// The newest so many.
    pub newest: Option<u64>,
    /// But for the newest so many, which are skipped before others are counted.
    pub skip: u64,
}

/// Runs, at a time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    /// The runs, oldest first. The details of an unfinished run's status say what it waits for.
    pub runs: Vec<Run>,
    /// What each run has used, as far as that is known.
    pub uses: BTreeMap<RunId, RunUse>,
    /// The SuperLink's time. `None`: it gives none.
    pub now: Option<Timestamp>,
}

/// What a run has used.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunUse {
    /// Bytes of messages and objects that the nodes of the run got.
    pub sent: u64,
    /// Bytes of messages and objects that came from the nodes of the run.
    pub received: u64,
    /// Seconds that ClientApps worked. 0 where nobody counts them.
    pub clientapp_seconds: f64,
}

/// A piece of a run's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// When it arrived; strictly increasing within a run.
    pub at: Timestamp,
    /// Raw text, colours included; not necessarily a whole line.
    pub text: String,
}

/// The log of a run, followed to its end.
pub trait LogReader: Send + 'static {
    /// Waits for the next piece. `None`: the run is over and all was read. A call that is dropped
    /// before it ends loses nothing.
    ///
    /// # Errors
    /// If the run is deleted, or the connection breaks.
    fn next(&mut self) -> impl Future<Output = Result<Option<LogEntry>>> + Send;

    /// Waits likewise, and gives all that is there in one piece, however long it is.
    ///
    /// # Errors
    /// As [`Self::next`].
    fn next_whole(&mut self) -> impl Future<Output = Result<Option<LogEntry>>> + Send {
        self.next()
    }
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStatus {
    /// It was registered, and has not come yet.
    Registered,
    /// It gives signs of life.
    Online,
    /// It gives none.
    Offline,
    /// It cannot come back. Its key is free.
    Unregistered,
}

/// A node, as people see it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeInfo {
    /// Its id.
    pub id: NodeId,
    /// The account that registered it. Empty: the node registered itself, or nobody signs in.
    pub owner: AccountInfo,
    /// Where it stands.
    pub status: NodeStatus,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
    /// When it last came online.
    pub activated_at: Option<Timestamp>,
    /// When it last went offline.
    pub deactivated_at: Option<Timestamp>,
    /// When it was unregistered.
    pub unregistered_at: Option<Timestamp>,
    /// Until when it counts as online.
    pub online_until: Option<Timestamp>,
    /// Its public key: SubjectPublicKeyInfo in DER.
    pub key: Bytes,
    /// What people call it.
    pub name: Option<String>,
    /// Where it is: degrees of latitude and longitude.
    pub location: Option<String>,
    /// The subject of the certificate that it shows, where the SuperLink asks for one.
    pub certificate: Option<String>,
}

/// Nodes, at a time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Nodes {
    /// The nodes, in the order of their ids. Those that were unregistered are among them.
    pub nodes: Vec<NodeInfo>,
    /// The SuperLink's time. `None`: it gives none.
    pub now: Option<Timestamp>,
}

/// A node that is to be registered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewNode {
    /// Its public key: SubjectPublicKeyInfo in DER.
    pub key: Bytes,
    /// What people call it.
    pub name: Option<String>,
    /// Where it is: degrees of latitude and longitude.
    pub location: Option<String>,
}

/// A login that has begun, as its user is told.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// How people sign in: `oidc` at our SuperLinks.
    pub auth_type: String,
    /// The secret by which the tokens are asked for.
    pub device_code: String,
    /// Where the user goes, and what to type there if it is not in the address.
    pub place: String,
    /// How long the login may take.
    pub expires_in: Duration,
    /// The time between two questions for the tokens.
    pub interval: Duration,
}

/// The tokens of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Proves the caller's identity.
    pub access: String,
    /// Gets new tokens.
    pub refresh: String,
}

/// What takes the space of a SuperLink. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Runs.
    pub runs: u64,
    /// Of these, finished ones.
    pub finished_runs: u64,
    /// Nodes.
    pub nodes: u64,
    /// Contexts and configurations of the runs.
    pub run_bytes: u64,
    /// Logs.
    pub log_bytes: u64,
    /// The database. 0 where the state is in memory.
    pub database_bytes: u64,
    /// What in the database holds nothing.
    pub free_bytes: u64,
    /// Objects of messages.
    pub object_bytes: u64,
    /// Bundles.
    pub fab_bytes: u64,
}

/// The session of a person with a SuperLink. On the SuperLink a value of this trait exists only
/// behind a proof of who calls, so that the caller is no argument of any method.
pub trait Control: Send + Sync + 'static {
    /// The log of a run.
    type Log: LogReader;

    /// Starts a run. It belongs to the caller. `None`: the SuperLink does not say why it started
    /// none.
    ///
    /// # Errors
    /// If the FAB does not hold what it says, or the app has no such configuration.
    fn start(&self, start: Start) -> impl Future<Output = Result<Option<RunId>>> + Send;

    /// Stops a run. False: the SuperLink does not say why it did not.
    ///
    /// # Errors
    /// If there is no such run, it is not the caller's, or it is over.
    fn stop(&self, run: RunId) -> impl Future<Output = Result<bool>> + Send;

    /// The runs that the caller may look at, or some of them.
    ///
    /// # Errors
    /// If there is no such run, or it is not the caller's.
    fn runs(&self, which: impl Into<RunFilter> + Send)
    -> impl Future<Output = Result<Runs>> + Send;

    /// The log of a run after that moment.
    ///
    /// # Errors
    /// If there is no such run, or it is not the caller's.
    fn log(&self, run: RunId, after: Timestamp) -> impl Future<Output = Result<Self::Log>> + Send;

    /// Where the files are that a run left behind. `None`: it left none.
    ///
    /// # Errors
    /// If the SuperLink keeps no such files.
    fn artifacts(&self, run: RunId) -> impl Future<Output = Result<Option<String>>> + Send;

    /// The nodes of the SuperLink.
    ///
    /// # Errors
    /// If the state fails.
    fn nodes(&self) -> impl Future<Output = Result<Nodes>> + Send;

    /// Registers a node by its key. The node belongs to the caller. `None`: the SuperLink does not
    /// say why it registered none.
    ///
    /// # Errors
    /// If the key is of a node already, or nobody registers nodes at this SuperLink.
    fn enroll(&self, node: NewNode) -> impl Future<Output = Result<Option<NodeId>>> + Send;

    /// Unregisters a node, for ever. Its key is free.
    ///
    /// # Errors
    /// If there is no such node, it is not the caller's, or nobody unregisters nodes at this
    /// SuperLink.
    fn dismiss(&self, node: NodeId) -> impl Future<Output = Result<()>> + Send;

    /// The federations that the caller is in.
    ///
    /// # Errors
    /// If the state fails.
    fn federations(&self) -> impl Future<Output = Result<Vec<Federation>>> + Send;

    /// The federation with this id.
    ///
    /// # Errors
    /// If there is no such federation, or the caller is not in it.
    fn federation(&self, id: &str) -> impl Future<Output = Result<WholeFederation>> + Send;

    /// Deletes a finished run and its log.
    ///
    /// # Errors
    /// If there is no such run, it is not the caller's, or it is not finished.
    fn delete(&self, run: RunId) -> impl Future<Output = Result<()>> + Send;

    /// What takes the space.
    ///
    /// # Errors
    /// If the state fails.
    fn usage(&self) -> impl Future<Output = Result<Usage>> + Send;
}

/// How a person gets the tokens that prove an account.
pub trait SignIn: Send + Sync + 'static {
    /// Begins a login.
    ///
    /// # Errors
    /// If nobody signs in at this SuperLink, or the login provider refuses.
    fn login(&self) -> impl Future<Output = Result<Login>> + Send;

    /// The tokens of a login. `None`: the user has not finished yet.
    ///
    /// # Errors
    /// If there is no such login, or it was denied.
    fn tokens(&self, device_code: &str) -> impl Future<Output = Result<Option<Tokens>>> + Send;

    /// New tokens for this refresh token.
    ///
    /// # Errors
    /// If the token is good for nothing here.
    fn refresh(&self, refresh_token: &str) -> impl Future<Output = Result<Tokens>> + Send {
        let _ = refresh_token;
        ready(Err(Refusal::NotOffered(Feature::Accounts).into()))
    }
}

impl From<Option<RunId>> for RunFilter {
    fn from(only: Option<RunId>) -> Self {
        Self {
            only,
            ..Self::default()
        }
    }
}

impl NodeStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Registered,
        Self::Online,
        Self::Offline,
        Self::Unregistered,
    ];

    /// The wire's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unregistered => "unregistered",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who has the code has the login: it is not printed.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// Tokens are not printed.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let login = Login {
            auth_type: "oidc".to_owned(),
            device_code: "secret".to_owned(),
            place: "https://example.org".to_owned(),
            expires_in: Duration::from_secs(60),
            interval: Duration::from_secs(5),
        };
        let tokens = Tokens {
            access: "secret".to_owned(),
            refresh: "secret".to_owned(),
        };
        assert_eq!(format!("{login:?} {tokens:?}"), "Login Tokens");
    }
}
