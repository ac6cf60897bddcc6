//! What the flags mean, checked: every file is read and every rule applied before any port is
//! bound or any connection made.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flwr_client::channel::{Route, Trust};
use flwr_client::retry::Persistence;
use flwr_core::address::Address;
use flwr_core::config::{self, UserConfig};
use flwr_core::fab::Fab;
use flwr_core::home::flwr_home;
use flwr_core::object::ObjectId;
use flwr_daemon::apps::{self, Program};
use flwr_daemon::metrics::MetricsPlace;
use flwr_security::joining::JoinTokenId;
use flwr_security::key::PublicKey;

mod appio;
mod error;
mod key;
mod trust;
mod way;

use appio::appio;
use key::{PRIVATE_KEY, PUBLIC_KEY};

pub use appio::ClientAppIo;
pub use error::Error;
pub use key::NodeKey;
pub use way::{JoinWay, Remembered, Way};

pub use crate::args::Reuse;
use crate::args::{Args, Isolation, Start};
use crate::enrolment::Enrolment;

/// Everything a SuperNode needs to start.
#[derive(Debug)]
pub struct Config {
    /// The SuperLink's Fleet address.
    pub superlink: Address,
    /// The port that is tried while nothing listens at that address.
    pub other_port: Option<u16>,
    /// Whom to trust there.
    pub trust: Trust,
    /// Where the trust comes from, for the log.
    pub trust_origin: String,
    /// The way there.
    pub route: Route,
    /// What the operator should know of the way.
    pub warnings: Vec<String>,
    /// The key that signs requests.
    pub key: NodeKey,
    /// What the node remembers of its enrolment, and uses.
    pub remembered: Option<Remembered>,
    /// The token that a start would join with: nothing is joined by a check.
    pub joins_with: Option<JoinTokenId>,
    /// When to give up on a request.
    pub persistence: Persistence,
    /// What the ClientApp reads as its node's configuration.
    pub node_config: UserConfig,
    /// Who starts the ClientApp's process.
    pub launch: Launch,
    /// How ClientApp processes are served.
    pub clientappio: ClientAppIo,
    /// Flower's directory, if it is not the default one.
    pub flwr_dir: Option<PathBuf>,
    /// Where finished replies and the state of runs are kept, if this node has a key of its own
    /// and a home: without a key it will be another node next time.
    pub store: Option<PathBuf>,
    /// The app that is run here, whatever app a run has; without it, the run's.
    pub app: Option<Fab>,
    /// How long a stop waits for the message in hand.
    pub drain: Duration,
    /// Where health checks are answered.
    pub health: Option<Address>,
    /// Where numbers for Prometheus are served.
    pub metrics: Option<MetricsPlace>,
}

/// Who starts the ClientApp's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// This node.
    Subprocess {
        /// `flwr-clientapp`.
        program: Program,
        /// Whether Python and its modules are imported before there is a message.
        ahead: bool,
        /// Whether messages share a process.
        reuse: Reuse,
    },
    /// Somebody else: ClientApp processes ask for work.
    Process,
}

impl Launch {
    /// Why processes cannot be started ahead of need though they are to be, and the way out.
    #[must_use]
    pub fn unprepared(&self) -> Option<(String, &'static str)> {
        let Self::Subprocess {
            program,
            ahead,
            reuse,
        } = self
        else {
            return None;
        };
        let prepares = *ahead || *reuse == Reuse::Run;
        if !prepares || apps::names_its_python(program.path()) {
            return None;
        }
        let text = format!(
            "{} is no script that names its Python: each ClientApp's process starts from nothing",
            program.path().display()
        );
        let hint = "put the environment's own flwr-clientapp first on PATH, as pip installs it";
        Some((text, hint))
    }
}

impl TryFrom<Args> for Config {
    type Error = Error;

    /// The configuration of a node that remembers nothing.
    fn try_from(args: Args) -> Result<Self, Error> {
        Self::new(args, &Enrolment::None)
    }
}

impl Config {
    /// What the flags mean for a node that has joined, or joins, like this.
    ///
    /// # Errors
    /// If a flag or a file cannot be used.
    pub fn new(args: Args, enrolment: &Enrolment) -> Result<Self, Error> {
        not_built(&args)?;
        let trust = trust::load(&args, enrolment)?;
        let launch = launch(&args)?;
        let (clientappio, told) = appio(&args, enrolment)?;
        let way = Way::new(&args, enrolment, trust)?;
        let Way {
            superlink,
            other_port,
            trust,
            trust_origin,
            route,
            mut warnings,
            key,
            remembered,
        } = way;
        warnings.extend(told);
        let (metrics, told) = MetricsPlace::load(&args.metrics)?;
        warnings.extend(told);
        Ok(Self {
            metrics,
            store: store(&key, &args),
            superlink,
            other_port,
            trust,
            trust_origin,
            route,
            warnings,
            key,
            remembered,
            joins_with: enrolment.token().map(|token| token.id),
            app: None,
            persistence: persistence(&args)?,
            node_config: node_config(args.node_config.as_deref())?,
            launch,
            clientappio,
            // pip's rule: a directory that does not exist counts as not given.
            flwr_dir: args.flwr_dir.filter(|dir| dir.is_dir()),
            drain: args.drain,
            health: args
                .health_server_address
                .map(|text| address("--health-server-address", &text))
                .transpose()?,
        })
    }
}

/// When these flags have a request given up.
pub(crate) fn persistence(args: &Args) -> Result<Persistence, Error> {
    Ok(Persistence {
        max_retries: args.max_retries,
        max_wait: wait_time(args.max_wait_time)?,
    })
}

/// Refuses flags for what is not built.
const fn not_built(args: &Args) -> Result<(), Error> {
    let (flag, way_out) = if args.trusted_entities.is_some() {
        (
            "--trusted-entities",
            "this SuperNode checks no signatures of apps, and would run each. Leave the flag out where that is meant; `flower-client-app` runs one app of yours, whatever app a run has",
        )
    } else if args.rest {
        (
            "--rest",
            "leave the flag out, and have --superlink name the SuperLink's gRPC address (port 9092), or port 8000 of flwr 1.40 and later",
        )
    } else if args.grpc_adapter {
        (
            "--grpc-adapter",
            "leave the flag out: SuperLinks of flwr 1.20 and later serve plain gRPC at the same port",
        )
    } else {
        return Ok(());
    };
    Err(Error::NotBuilt { flag, way_out })
}

/// The directory where a SuperNode with these flags keeps replies and Contexts. Only the flags of
/// its key and of Flower's directory are read. `None`: the node keeps nothing.
///
/// # Errors
/// If the key cannot be used.
pub fn store_of(args: &Args) -> Result<Option<PathBuf>, Error> {
    let enrolment = Enrolment::remembered(args)?;
    let key = NodeKey::load(args, &enrolment)?;
    Ok(store(&key, args))
}

/// A directory for each key, named by its hash: two nodes may share a home.
pub(crate) fn store(key: &NodeKey, args: &Args) -> Option<PathBuf> {
    key.path.as_ref()?;
    let nodes = home(args)?.join("supernode");
    Some(nodes.join(store_name(key.private.public_key())))
}

/// Flower's directory for a node with these flags. `None`: there is no home directory.
pub(crate) fn home(args: &Args) -> Option<PathBuf> {
    let given = args.flwr_dir.clone();
    given.or_else(|| flwr_home(|name| env::var_os(name)))
}

/// The name of the directory for this key.
pub(crate) fn store_name(key: &PublicKey) -> String {
    ObjectId::of(key.to_openssh().as_bytes()).to_string()[..16].to_owned()
}

fn launch(args: &Args) -> Result<Launch, Error> {
    if args.isolation == Isolation::Process {
        return Ok(Launch::Process);
    }
    let installs = args.appio.allow_runtime_dependency_installation;
    if installs && args.clientapp_reuse == Reuse::Run {
        return Err(Error::ReuseWithInstaller);
    }
    let program = Program::find("flwr-clientapp").map_err(Error::NoClientApp)?;
    let program = match installs {
        true => program.installing().map_err(Error::ClientApp)?,
        false => program,
    };
    Ok(Launch::Subprocess {
        // A process that has loaded the app is one without what the app depends on.
        ahead: args.clientapp_start == Start::Ahead && !program.installs(),
        program,
        reuse: args.clientapp_reuse,
    })
}

fn address(flag: &'static str, text: &str) -> Result<Address, Error> {
    text.parse()
        .map_err(|source| Error::Address { flag, source })
}

fn wait_time(seconds: Option<f64>) -> Result<Option<Duration>, Error> {
    seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(|_| Error::WaitTime(seconds)))
        .transpose()
}

fn node_config(text: Option<&str>) -> Result<UserConfig, Error> {
    let Some(text) = text else {
        return Ok(UserConfig::new());
    };
    let table = if config::is_toml_file(text) {
        let path = PathBuf::from(text);
        let content =
            fs::read_to_string(&path).map_err(|source| Error::NodeConfigFile { path, source })?;
        config::from_toml_text(&content)
    } else {
        config::parse_pairs(&[text])
    };
    table
        .and_then(|table| config::flatten(&table))
        .map_err(Error::NodeConfig)
}

#[cfg(test)]
mod tests;
