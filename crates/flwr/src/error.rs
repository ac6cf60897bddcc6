//! The errors of commands, and the exit status of each.

use std::io;
use std::path::PathBuf;

use flwr_client::channel::InvalidProxy;
use flwr_core::address::AddressError;
use flwr_core::cause::words;
use flwr_core::config::{ConfigError, SyntaxError};
use flwr_core::fab::FabError;
use flwr_core::printable;
use flwr_core::project::{FederationError, ProjectError};
use flwr_core::refusal::{Failure, Refusal};
use flwr_security::pki::PkiError;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("FLWR_JSON={0}: 1.22 or newest is expected")]
    JsonAs(String),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    #[error("Project configuration could not be loaded. `pyproject.toml` does not exist ({})", .0.display())]
    NoProject(PathBuf),
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is {encoding} text, and must be UTF-8", .path.display())]
    Encoding {
        path: PathBuf,
        encoding: &'static str,
    },
    #[error("{} is not UTF-8 text: line {line} has a byte that UTF-8 does not have there", .path.display())]
    NotText { path: PathBuf, line: usize },
    #[error("the bundle would lack {file}, the module of the app's `{component}`: {why}")]
    NotBundled {
        component: &'static str,
        file: String,
        why: String,
        way_out: String,
    },
    #[error("{} is a link to {}, {why}, and is not bundled", .link.display(), .target.display())]
    LinkOutside {
        link: PathBuf,
        target: PathBuf,
        why: &'static str,
    },
    #[error(transparent)]
    Choice(crate::project::ChoiceError),
    #[error("Project configuration could not be loaded")]
    Project(#[source] ProjectError),
    #[error("Project configuration could not be loaded.\npyproject.toml is invalid:\n- {0}")]
    Module(String),
    #[error("The path {} is not a valid path to a Flower app.", .0.display())]
    NotADirectory(PathBuf),
    #[error(
        "The project name {0} is invalid, a valid project name must start with a letter, and can only \
         contain letters, digits, and hyphens. (It is the name of the app's directory.)"
    )]
    DirectoryName(String),
    #[error("the name of {} is not UTF-8 text and cannot go into a bundle", .0.display())]
    FileName(PathBuf),
    #[error(
        "the path {} is not UTF-8 text and cannot be kept in `config.toml`: put the file elsewhere",
        .0.display()
    )]
    FilePath(PathBuf),
    #[error(transparent)]
    Federation(FederationError),
    #[error(
        "{0:?} cannot be the name of an app: a letter comes first, then letters, digits and `-`"
    )]
    AppName(String),
    #[error("an app cannot be called {0:?}: its module would hide one of that name")]
    AppNameTaken(String),
    #[error("{} exists already", .0.display())]
    AppExists(PathBuf),
    #[error("--username {0:?}: letters, digits, `-` and `_` are allowed")]
    Username(String),
    #[error("{0} is missing, and there is no terminal to ask at")]
    NobodyToAsk(&'static str),
    #[error(
        "there is no place for files of yours: none of FLWR_HOME, XDG_DATA_HOME and HOME is set"
    )]
    NoHome,
    #[error("{} is not a TOML file", .path.display())]
    HomeFile { path: PathBuf, source: SyntaxError },
    #[error("{} does not have the federations under headings like [{heading}.NAME], so that none can be added here", .path.display())]
    HomeFileForm {
        path: PathBuf,
        heading: &'static str,
    },
    #[error("{given} is set, but not {missing}: one without the other describes no federation")]
    OneWithoutOther {
        given: &'static str,
        missing: &'static str,
    },
    #[error("--address is not usable")]
    AddressFlag(#[source] AddressError),
    #[error(
        "{0:?} cannot be the name of a federation: letters, digits, `-`, `_` and `.` are allowed, and `default` is taken"
    )]
    FederationName(String),
    #[error("there is a federation `{name}` in {} already", .path.display())]
    FederationExists { name: String, path: PathBuf },
    #[error("there is no federation `{name}` in {}{}", .path.display(), did_you_mean(.nearest.as_deref()))]
    NotKept {
        name: String,
        path: PathBuf,
        nearest: Option<String>,
    },
    #[error("{} has no default federation", .0.display())]
    NoHomeDefault(PathBuf),
    #[error("the local federation is not up")]
    LocalDown,
    #[error("federation `{0}` is Flower's SuperGrid, which is not supported here")]
    SuperGrid(String),
    #[error("the local federation is up already, or starting")]
    LocalUp,
    #[error("the local federation is just starting or stopping")]
    LocalStarting,
    #[error("`{0}` is neither beside `flwr` nor on PATH")]
    NoDaemon(&'static str),
    #[error("no Python on PATH to run apps with")]
    NoPython,
    #[error("{} names a Python that is not there: {}", program.display(), python.display())]
    NoInterpreter {
        /// A program of Flower on PATH.
        program: PathBuf,
        python: PathBuf,
    },
    #[error("the Python environment for apps could not be made{}; {} has the rest", suffix(.cause), .log.display())]
    Python {
        /// The telling line of the log.
        cause: String,
        /// Whether this Python has no module for environments.
        no_venv: bool,
        log: PathBuf,
        source: Option<io::Error>,
    },
    #[error("no free port")]
    NoPort(#[source] io::Error),
    #[error("the local federation is not up")]
    Fallen(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the local federation is not ready after a minute")]
    NotReady(#[source] io::Error),
    #[error("the local federation could not be started; its last lines were:\n  {}", printable::indented(.0))]
    NotUp(String),
    #[error("the local federation (process {0}) did not stop within a minute")]
    NotDown(u32),
    /// The answer says it all; only the exit status is missing.
    #[error("")]
    Told,
    #[error("{flag}")]
    Config {
        flag: &'static str,
        source: ConfigError,
    },
    #[error(transparent)]
    Fab(FabError),
    #[error(
        "`flwr {command}` currently works with a SuperLink. Ensure that the correct SuperLink (Control API) \
         address is provided in `pyproject.toml`."
    )]
    NoAddress {
        command: &'static str,
        federation: String,
    },
    #[error(
        "Missing or invalid credentials for user authentication. Please run `flwr login` to authenticate."
    )]
    NotLoggedIn,
    #[error("{} has no tokens that can be read", .0.display())]
    DamagedTokens(PathBuf),
    #[error("the tokens in {} are not used", .path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error(
        "the tokens in {} were not sent: the file does not tell for which SuperLink they are", .0.display()
    )]
    UnboundTokens(PathBuf),
    #[error("the tokens in {} were not sent: they are for {}", .path.display(), whose(.theirs, .wanted))]
    TokensOfAnother {
        path: PathBuf,
        /// The address that the tokens are for.
        theirs: String,
        /// The address of the federation.
        wanted: String,
    },
    #[error(
        "User authentication requires TLS to be enabled. Remove `insecure = true` from the federation configuration."
    )]
    AccountOverPlaintext,
    #[error(
        "User authentication is not enabled for the federation '{0}'. To enable it, set `enable-user-auth = true` in \
         the federation configuration."
    )]
    LoginNotAsked(String),
    /// What upstream has a number for, and this program does not do.
    #[error("[code: {}] {}", .0.code().number(), .0)]
    NotOffered(Refusal),
    #[error("User authentication is not enabled on this SuperLink.")]
    NoAccounts,
    #[error("Unknown user authentication type: {0}")]
    UnknownLogin(String),
    #[error("Timeout, failed to sign in.")]
    LoginTimeout,
    #[error("cannot use the certificates of federation `{federation}`")]
    Tls {
        federation: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}", refused::explain(.0))]
    Call(Box<Failure>),
    #[error("the public key cannot be used")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("SuperNode couldn't be registered.")]
    NotRegistered,
    #[error("Failed to start run")]
    NotStarted,
    #[error("Run {0} couldn't be stopped.")]
    NotStopped(u64),
    #[error("no run is named")]
    NoRun,
    #[error("no run is unfinished")]
    NoneUnfinished {
        /// The newest of those that are finished.
        newest: Option<u64>,
    },
    #[error(
        "the latest run is {run_id} ({app}); nobody logs in at this SuperLink, so the run may be somebody else's, \
         and there is no terminal to ask at"
    )]
    NotAsked { run_id: u64, app: String },
    #[error("Run {0} goes on.")]
    LeftRunning(u64),
    #[error("this SuperLink cannot delete runs: Flower's own and earlier ones keep all of them")]
    CannotDelete,
    #[error("A download URL for artifacts from run {0} couldn't be obtained.")]
    NoArtifacts(u64),
    #[error("{} does not have the name of the bundle that it is, {right}", .given.display())]
    BundleName { given: PathBuf, right: String },
    #[error("Run {run_id} ended as {status}{}", suffix(&printable::indented(.details)))]
    NotCompleted {
        run_id: u64,
        status: String,
        details: String,
    },
    #[error("the connection to the SuperLink was lost while reading the log")]
    LogLost(#[source] Box<Self>),
    #[error("stopped watching run {run_id}")]
    Interrupted { run_id: u64 },
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("--name {0:?} is not a host name or IP address")]
    HostName(String),
    #[error("`server-name` of the federation: {0:?} is not a host name or IP address")]
    ServerName(String),
    #[error(transparent)]
    Proxy(InvalidProxy),
    #[error(transparent)]
    Pki(PkiError),
    #[error("no passphrase: {0}")]
    Passphrase(String),
    #[error("cannot make the certificates")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot make the keys")]
    Keys(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
}

impl Error {
    /// The place in a file that is meant, if there is one.
    pub(crate) fn picture(&self) -> Option<String> {
        let mut causes = std::iter::successors(std::error::Error::source(self), |e| e.source());
        let syntax = causes.find_map(|cause| cause.downcast_ref::<SyntaxError>())?;
        Some(syntax.picture())
    }

    /// This error and what caused it, each once.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let next = words(error);
            // Some libraries repeat the cause in their own text.
            if !text.ends_with(&next) {
                text = format!("{text}: {}", next.trim_end());
            }
            cause = error.source();
        }
        text
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Call(Box::new(failure))
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The SuperLink that tokens are for, as the user tells it from the wanted one.
fn whose(theirs: &str, wanted: &str) -> String {
    if theirs == wanted {
        format!("{theirs} with other root certificates or another `server-name`")
    } else {
        format!("{theirs}, and the federation's address is {wanted}")
    }
}

fn suffix(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

mod exit;
mod hint;
mod refused;
#[cfg(test)]
mod tests;
