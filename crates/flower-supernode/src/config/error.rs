//! Why the flags cannot be used.

use std::path::PathBuf;

use flwr_client::channel::InvalidProxy;
use flwr_core::address::{Address, AddressError};
use flwr_core::config::ConfigError;
use flwr_daemon::appio::{AppTlsError, LaunchersError, PlaceError};
use flwr_daemon::apps;
use flwr_daemon::metrics::MetricsError;
use flwr_security::key::KeyError;
use flwr_security::tls::TlsError;

use crate::enrolment;

/// Why the flags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The page of numbers.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
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
        source: KeyError,
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
    NoKey(#[source] KeyError),
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
    /// A flag of pip's SuperNode for what is not built. To ignore it could open what it closes.
    #[error("{flag} is not built: {way_out}")]
    NotBuilt {
        /// The flag.
        flag: &'static str,
        /// What to do instead.
        way_out: &'static str,
    },
    /// Where ClientApp processes reach this node would be open to others.
    #[error(transparent)]
    Appio(#[from] PlaceError),
    /// The TLS of ClientAppIo.
    #[error(transparent)]
    AppTls(#[from] AppTlsError),
    /// Who may start ClientApp processes.
    #[error(transparent)]
    Launchers(#[from] LaunchersError),
    /// How the node joins, or what it remembers of that.
    #[error(transparent)]
    Enrolment(#[from] enrolment::Error),
    /// The program that runs ClientApps is missing.
    #[error("--isolation subprocess")]
    NoClientApp(#[source] apps::Error),
    /// A `flwr-clientapp` that does not do what was asked for.
    #[error(transparent)]
    ClientApp(apps::Error),
    /// An app that is installed for one process cannot be loaded by another.
    #[error(
        "--clientapp-reuse run excludes --allow-runtime-dependency-installation, which installs what the app needs for each process: leave out one of them"
    )]
    ReuseWithInstaller,
}
