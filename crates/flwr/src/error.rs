//! Everything that can end a command badly, and the exit status of each.

use std::io;
use std::path::PathBuf;

use flwr_core::config::ConfigError;
use flwr_core::fab::FabError;
use flwr_core::project::{FederationError, ProjectError};
use flwr_security::channel::connect_error;
use flwr_security::pki::PkiError;
use tonic::{Code, Status};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    #[error("Project configuration could not be loaded. `pyproject.toml` does not exist ({})", .0.display())]
    NoProject(PathBuf),
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
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
    #[error(transparent)]
    Federation(FederationError),
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
        "federation `{0}` asks for a login (`enable-user-auth = true`), which this `flwr` does not support"
    )]
    Login(String),
    #[error("cannot use the certificates of federation `{federation}`")]
    Tls {
        federation: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{}", explain(.0))]
    Rpc(Box<Status>),
    #[error("Failed to start run")]
    NotStarted,
    #[error("Run {0} couldn't be stopped.")]
    NotStopped(u64),
    #[error("Run {run_id} ended as {status}{}", suffix(.details))]
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
    /// 1: it was tried and failed; 2: it was asked for in a way that cannot work; 130: Ctrl-C.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoProject(_)
            | Self::Project(_)
            | Self::Module(_)
            | Self::NotADirectory(_)
            | Self::DirectoryName(_)
            | Self::FileName(_)
            | Self::Federation(_)
            | Self::Config { .. }
            | Self::NoAddress { .. }
            | Self::Login(_)
            | Self::Tls { .. }
            | Self::Read { .. }
            | Self::HostName(_)
            | Self::ServerName(_)
            | Self::Pki(_)
            | Self::Passphrase(_)
            | Self::Exists(_) => 2,
            Self::Runtime(_)
            | Self::Fab(_)
            | Self::Rpc(_)
            | Self::NotStarted
            | Self::NotStopped(_)
            | Self::NotCompleted { .. }
            | Self::LogLost(_)
            | Self::Write { .. }
            | Self::Certificates(_)
            | Self::Keys(_) => 1,
            // As shells report an interrupt.
            Self::Interrupted { .. } => 130,
            // Whoever read our output has seen enough, e.g. `flwr log 1 | head`.
            Self::Stdout(error) => u8::from(error.kind() != io::ErrorKind::BrokenPipe),
        }
    }

    /// The way out, where the text alone does not show it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NoProject(_) => {
                Some("give the app's directory, e.g. `flwr run path/to/app`".into())
            }
            Self::NoAddress {
                federation,
                command: "run",
            } => Some(format!(
                "simulations are not supported here; set `address` under [tool.flwr.federations.{federation}]"
            )),
            Self::NoAddress { federation, .. } => Some(format!(
                "set `address` under [tool.flwr.federations.{federation}]"
            )),
            Self::NotStarted => Some("the SuperLink's log tells why".into()),
            Self::Interrupted { run_id } => Some(format!(
                "the run goes on; see it with `flwr log {run_id}`, end it with `flwr stop {run_id}`"
            )),
            Self::LogLost(_) => Some("the run may go on; see it with `flwr list`".into()),
            Self::Exists(_) => Some("move it away, or use --force to write over it".into()),
            _ => None,
        }
    }

    /// This error and what caused it, each once.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let next = error.to_string();
            // Some libraries repeat the cause in their own text.
            if !text.ends_with(&next) {
                text = format!("{text}: {}", next.trim_end());
            }
            cause = error.source();
        }
        text
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Rpc(Box::new(status))
    }
}

fn suffix(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// What a refusal of the SuperLink, or a failure to reach it, means for the user.
fn explain(status: &Status) -> String {
    if let Some(error) = connect_error(status) {
        return format!("Connection to the SuperLink is unavailable: {error}");
    }
    if let Some(cause) = broken(status) {
        return format!(
            "The connection to the SuperLink broke off ({cause}). Check that `address` is its Control API, and \
             that the federation says what it expects: TLS (`root-certificates`) or plaintext (`insecure = true`)"
        );
    }
    let details = status.message();
    match status.code() {
        Code::Unauthenticated => format!("Authentication failed: the SuperLink asks for a login ({details})"),
        Code::PermissionDenied => format!("Permission denied.\n{details}"),
        Code::Unavailable => format!(
            "Connection to the SuperLink is unavailable. Please check your network connection and 'address' in \
             the federation configuration. ({details})"
        ),
        Code::NotFound if details == "Run ID not found" => "Run ID not found.".into(),
        Code::Unimplemented => {
            "The SuperLink cannot process this request. Please verify that you set the address to its Control API \
             endpoint correctly in your `pyproject.toml`, and ensure that the Flower versions used by the CLI and \
             SuperLink are compatible."
                .into()
        }
        code => format!("the SuperLink refused: {details} ({code:?})"),
    }
}

/// What broke the line: a status that a SuperLink sends has no cause, one made here has.
fn broken(status: &Status) -> Option<String> {
    let causes = std::iter::successors(std::error::Error::source(status), |error| error.source());
    causes.last().map(ToString::to_string)
}

#[cfg(test)]
mod tests;
