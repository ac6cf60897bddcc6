//! What the flags mean, checked: every file is read and every rule applied before any port is
//! bound or any connection made.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flwr_client::channel::{InvalidProxy, Proxies, Route, Traffic, Trust};
use flwr_client::retry::Persistence;
use flwr_core::address::{Address, AddressError};
use flwr_core::config::{self, ConfigError, UserConfig};
use flwr_core::fab::Fab;
use flwr_core::home::flwr_home;
use flwr_core::object::ObjectId;
use flwr_daemon::appio::{Launchers, LaunchersError, PlaceError};
use flwr_daemon::apps::{self, Program};
use flwr_security::key::{self, PrivateKey, PublicKey};
use flwr_security::tls::TlsError;

mod appio;
mod trust;

use appio::appio;

pub use crate::args::Reuse;
use crate::args::{Args, Isolation, Start};

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
    /// When to give up on a request.
    pub persistence: Persistence,
    /// What the ClientApp reads as its node's configuration.
    pub node_config: UserConfig,
    /// Who starts the ClientApp's process.
    pub launch: Launch,
    /// Where ClientApp processes reach this node.
    pub clientappio: Address,
    /// Who may start ClientApp processes, where that is somebody else.
    pub launchers: Launchers,
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
}

/// The node's key, and where it comes from.
#[derive(Debug)]
pub struct NodeKey {
    /// The key.
    pub private: PrivateKey,
    /// Its file; without one it was made for this start, and the SuperLink sees a new node.
    pub path: Option<PathBuf>,
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

/// Why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// TLS is off and on at once.
    #[error(
        "--insecure turns TLS off, but --root-certificates was given too: leave out one of them"
    )]
    InsecureWithRoots,
    /// A flag about TLS without TLS.
    #[error("{0} needs TLS, but --insecure turns it off: leave out one of them")]
    NeedsTls(&'static str),
    /// No name that a certificate could be for.
    #[error("--server-name {0}: not a host name or IP address")]
    ServerName(String),
    /// A key over plaintext proves nothing: anybody on the way can use the session.
    #[error(
        "{0} needs TLS, but --insecure turns it off: leave out --insecure (and give --root-certificates), or leave out the key"
    )]
    KeyWithoutTls(&'static str),
    /// Half of a pair.
    #[error("{given} was given without {missing}: both are needed")]
    OneOfTwo {
        /// The flag that is there.
        given: &'static str,
        /// The flag that is not.
        missing: &'static str,
    },
    /// A key file that cannot be used.
    #[error("{flag}")]
    Key {
        /// Its flag.
        flag: &'static str,
        /// What is wrong with which file.
        source: key::KeyError,
    },
    /// Two halves of different pairs.
    #[error(
        "--auth-supernode-public-key {} is not the public key of --auth-supernode-private-key {}",
        public.display(), private.display()
    )]
    KeyPair {
        /// The public key's path.
        public: PathBuf,
        /// The private key's path.
        private: PathBuf,
    },
    /// No key could be made.
    #[error("could not make a key for this node")]
    NoKey(#[source] key::KeyError),
    /// The authorities to trust could not be loaded.
    #[error("{flag}")]
    Trust {
        /// The flag, given or not.
        flag: &'static str,
        /// What is wrong with which file.
        source: TlsError,
    },
    /// An address that is none.
    #[error("{flag}")]
    Address {
        /// Its flag.
        flag: &'static str,
        /// What is wrong with it.
        source: AddressError,
    },
    /// A proxy that is none.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// A port that cannot be connected to.
    #[error("--superlink {0}: port 0 cannot be connected to")]
    PortZero(Address),
    /// A node configuration that does not parse.
    #[error("--node-config")]
    NodeConfig(#[source] ConfigError),
    /// A node configuration's file that cannot be read.
    #[error("--node-config {}", path.display())]
    NodeConfigFile {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A waiting time that is none.
    #[error("--max-wait-time {0}: expected a number of seconds, 0 or more")]
    WaitTime(f64),
    /// Where ClientApp processes reach this node would be open to others.
    #[error(transparent)]
    Appio(#[from] PlaceError),
    /// Who may start ClientApp processes.
    #[error(transparent)]
    Launchers(#[from] LaunchersError),
    /// The program that runs ClientApps is missing.
    #[error("--isolation subprocess")]
    NoClientApp(#[source] apps::Error),
}

impl TryFrom<Args> for Config {
    type Error = Error;

    fn try_from(args: Args) -> Result<Self, Error> {
        let (trust, trust_origin) = trust::load(&args)?;
        let launch = launch(&args)?;
        let (clientappio, launchers, told) = appio(&args)?;
        let key = load_key(
            args.auth_supernode_private_key,
            args.auth_supernode_public_key,
        )?;
        let store = store(&key, args.flwr_dir.clone());
        let (superlink, other_port) = match &args.superlink {
            Some(given) => (given.as_str(), None),
            None => (SUPERLINK, Some(HTTP_PORT)),
        };
        let superlink = parse_superlink(superlink)?;
        let proxies = Proxies::new(args.proxy.as_ref(), Traffic::Grpc, |name| {
            env::var(name).ok()
        })?;
        let advice = superlink.advice();
        let advice = advice.map(|advice| format!("--superlink {superlink}: {advice}"));
        let warning = proxies.warning(&superlink.host, superlink.port);
        Ok(Self {
            route: proxies.route(&superlink.host, superlink.port),
            warnings: advice
                .into_iter()
                .chain(warning.map(ToString::to_string))
                .chain(told)
                .collect(),
            superlink,
            other_port,
            trust,
            trust_origin,
            key,
            store,
            app: None,
            persistence: Persistence {
                max_retries: args.max_retries,
                max_wait: wait_time(args.max_wait_time)?,
            },
            node_config: node_config(args.node_config.as_deref())?,
            launch,
            clientappio,
            launchers,
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

/// The directory where a SuperNode with these flags keeps replies and Contexts. Only the flags of
/// its key and of Flower's directory are read. `None`: the node keeps nothing.
///
/// # Errors
/// If the key cannot be used.
pub fn store_of(args: Args) -> Result<Option<PathBuf>, Error> {
    let key = load_key(
        args.auth_supernode_private_key,
        args.auth_supernode_public_key,
    )?;
    Ok(store(&key, args.flwr_dir))
}

/// A directory for each key, named by its hash: two nodes may share a home.
fn store(key: &NodeKey, flwr_dir: Option<PathBuf>) -> Option<PathBuf> {
    key.path.as_ref()?;
    let home = flwr_dir.or_else(|| flwr_home(|name| env::var_os(name)));
    let name = ObjectId::of(key.private.public_key().to_openssh().as_bytes()).to_string();
    Some(home?.join("supernode").join(&name[..16]))
}

fn launch(args: &Args) -> Result<Launch, Error> {
    if args.isolation == Isolation::Process {
        return Ok(Launch::Process);
    }
    Ok(Launch::Subprocess {
        program: Program::find("flwr-clientapp").map_err(Error::NoClientApp)?,
        ahead: args.clientapp_start == Start::Ahead,
        reuse: args.clientapp_reuse,
    })
}

/// Where SuperLinks of flwr 1.39 and earlier listen for SuperNodes, unless they are told otherwise.
const SUPERLINK: &str = "127.0.0.1:9092";
/// The port on which later ones do.
const HTTP_PORT: u16 = 8000;

const PRIVATE_KEY: &str = "--auth-supernode-private-key";
const PUBLIC_KEY: &str = "--auth-supernode-public-key";

fn load_key(private: Option<PathBuf>, public: Option<PathBuf>) -> Result<NodeKey, Error> {
    let (private_path, public_path) = match (private, public) {
        (Some(private), Some(public)) => (private, public),
        (None, None) => {
            let private = PrivateKey::generate().map_err(Error::NoKey)?;
            return Ok(NodeKey {
                private,
                path: None,
            });
        }
        (Some(_), None) => {
            return Err(Error::OneOfTwo {
                given: PRIVATE_KEY,
                missing: PUBLIC_KEY,
            });
        }
        (None, Some(_)) => {
            return Err(Error::OneOfTwo {
                given: PUBLIC_KEY,
                missing: PRIVATE_KEY,
            });
        }
    };
    let unusable = |flag| move |source| Error::Key { flag, source };
    let private = PrivateKey::from_file(&private_path).map_err(unusable(PRIVATE_KEY))?;
    let public = PublicKey::from_file(&public_path).map_err(unusable(PUBLIC_KEY))?;
    if *private.public_key() != public {
        return Err(Error::KeyPair {
            public: public_path,
            private: private_path,
        });
    }
    Ok(NodeKey {
        private,
        path: Some(private_path),
    })
}

fn parse_superlink(text: &str) -> Result<Address, Error> {
    let address = Address::from_target(text).map_err(|source| Error::Address {
        flag: "--superlink",
        source,
    })?;
    if address.port == 0 {
        Err(Error::PortZero(address))
    } else {
        Ok(address)
    }
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
