//! What was typed: the flags of `flower-supernode`, as flwr 1.20 to 1.22 name them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use flwr_core::proxy::ProxySetting;
use flwr_daemon::config_file::{Configurable, Side};
use flwr_daemon::metrics::MetricsFlags;

use crate::enrolment::JoinFrom;

mod appio;
mod command;

pub use appio::AppIo;
pub use command::{Command, UnknownCommand};

/// The commit that this program was built from.
pub const COMMIT: &str = env!("FLWR_COMMIT");

/// Version of this program, its commit, and the generations of the wire it speaks.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    "; speaks flwr 1.20 to 1.43)"
);

/// Connects to a SuperLink, takes messages from it, and runs the app's ClientApp for each.
#[derive(Clone, Debug, Parser)]
// As Python's argparse, which scripts were written for: prefixes of flags, and the last one wins.
#[command(infer_long_args = true, args_override_self = true)]
#[command(name = "flower-supernode", version = VERSION, max_term_width = 100)]
#[command(after_help = "Examples:
  flower-supernode --superlink superlink.example:9092 --root-certificates ca.crt \\
      --auth-supernode-private-key node --auth-supernode-public-key node.pub
  flower-supernode --join TOKEN
  flower-supernode --insecure --node-config 'partition-id=0 num-partitions=2'
  flower-supernode --check-config --superlink superlink.example:9092 --root-certificates ca.crt
  flower-supernode key renew
      gives the node another key, with the flags of the connection and of the key, or those that
      the node remembers; a running node goes on with the new key

Each flag may also stand in the environment, e.g. FLOWER_SUPERNODE_SUPERLINK; what is typed wins
over that, and that over --config.
Exit status: 0 success, 1 failure, 2 wrong flags or files.")]
pub struct Args {
    /// Take flags from this JSON or TOML file, by their long names; what is typed wins. Mutual TLS
    /// may be described there by use_secure_connection, ssl_private_key, ssl_cert, ssl_root_cert
    /// and options
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Join a SuperLink with this token of `flwr supernode join-token new`, with the token in this
    /// file, or with the token that comes on standard input (-). The node makes its key, and trusts
    /// the authority that the token names. Later starts need no flag: address, trust and key are
    /// remembered in --flwr-dir. Nodes that share a machine need a directory each. A token on the
    /// command line is taken out of the process list
    #[arg(long, value_name = "TOKEN|FILE|-")]
    pub join: Option<JoinFrom>,

    /// With --join on a node that has joined: replace what it remembers, once it has joined anew
    #[arg(long, requires = "join")]
    pub rejoin: bool,

    /// Connect without TLS. Everybody on the way can read and change models and results
    #[arg(long)]
    pub insecure: bool,

    /// PEM file with the certificates of the authorities to trust; without it and without
    /// --insecure, the system's authorities are trusted
    #[arg(long, value_name = "FILE")]
    pub root_certificates: Option<PathBuf>,

    /// This node's certificate, for SuperLinks that ask their clients for one (PEM, with its chain)
    #[arg(long, value_name = "FILE")]
    pub client_certificate: Option<PathBuf>,

    /// The private key of the certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,

    /// The name that the SuperLink's certificate must be for, if it is not that of its address
    #[arg(long, value_name = "HOST")]
    pub server_name: Option<String>,

    /// Where a certificate for `localhost` counts beside the address's name, if --server-name names
    /// no other: what a --config file with a connection and without `options` stands for
    #[arg(long, value_enum, value_name = "WHERE", hide = true)]
    pub localhost_too: Option<LocalhostToo>,

    /// Accept a SuperLink's certificate of X.509 version 1 or without a subjectAltName, as old
    /// versions of openssl write them, if one of --root-certificates has signed it itself; and as
    /// the node's own
    #[arg(long, requires = "root_certificates")]
    pub ssl_allow_legacy_certificates: bool,

    /// The SuperLink's Fleet address [default: that of the SuperLink that the node has joined, else
    /// 127.0.0.1:9092, and while nothing listens there 127.0.0.1:8000, where SuperLinks of flwr 1.40
    /// and later listen]
    #[arg(long, value_name = "HOST:PORT")]
    pub superlink: Option<String>,

    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none; to this
    /// machine itself there is none [default: $grpc_proxy, $https_proxy or $http_proxy, but for the
    /// hosts in $no_grpc_proxy or $no_proxy]
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,

    /// Give up after this many retries of one request; without it, retry for ever
    #[arg(long, value_name = "N")]
    pub max_retries: Option<u64>,

    /// Give up when one request has been retried for this many seconds; without it, retry for
    /// ever
    #[arg(long, value_name = "SECONDS")]
    pub max_wait_time: Option<f64>,

    /// This node's private key (OpenSSH or PEM; NIST P-256, P-384 or P-521)
    #[arg(long, value_name = "FILE")]
    pub auth_supernode_private_key: Option<PathBuf>,

    /// The public key that belongs to it. Not needed: the private key holds it
    #[arg(long, value_name = "FILE")]
    pub auth_supernode_public_key: Option<PathBuf>,

    /// What the ClientApp reads as its node's configuration: 'key1=1 key2="text"', or a .toml file
    #[arg(long, value_name = "PAIRS|FILE.toml")]
    pub node_config: Option<String>,

    /// Who starts the ClientApp: the SuperNode (subprocess), or you (process), with
    /// `flower-superexec --plugin-type clientapp` or `flwr-clientapp`
    #[arg(long, value_enum, default_value_t = Isolation::Subprocess)]
    pub isolation: Isolation,

    /// How ClientApp processes begin: by a fork of a process that has loaded the run's app, where
    /// the app sees no difference, else of one with Flower's imports (ahead; about 70 MB, and as
    /// much as the app's imports take), or from nothing (fresh)
    #[arg(long, value_enum, default_value_t = Start::Ahead)]
    pub clientapp_start: Start,

    /// Whether the messages of a run share a ClientApp process: each gets a fresh one (never), or
    /// one process stays to the end of the run (run), with what the app leaves in its memory
    #[arg(long, value_enum, default_value_t = Reuse::Never)]
    pub clientapp_reuse: Reuse,

    /// Where ClientApp processes reach this node, and how.
    #[command(flatten)]
    pub appio: AppIo,

    /// Flower's directory: ClientApp processes install apps there, and a node with a key of its
    /// own keeps finished replies there until the SuperLink has them [default: $FLWR_HOME,
    /// $XDG_DATA_HOME/.flwr or ~/.flwr]
    #[arg(long, value_name = "DIR")]
    pub flwr_dir: Option<PathBuf>,

    /// When asked to stop: wait so long for the answer to the message in hand, and take no other. A
    /// message that is not answered by then is offered again when this node returns. A second signal
    /// stops at once
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub drain: Duration,

    /// Serve gRPC health checks here
    #[arg(long, value_name = "HOST:PORT")]
    pub health_server_address: Option<String>,

    /// Ask the daemon that serves health checks at --health-server-address whether it serves, print
    /// the answer, and end: with status 0 if it does. For containers and scripts on its machine
    #[arg(long, conflicts_with_all = ["check_config", "check_state"])]
    pub health: bool,

    /// Numbers for Prometheus.
    #[command(flatten)]
    pub metrics: MetricsFlags,

    /// End in an orderly way when standard input, a pipe, is closed: for programs that start this
    /// one and must not leave it behind when they are killed
    #[arg(long)]
    pub until_stdin_closes: bool,

    /// Check the configuration: flags, files, and the connection to the SuperLink step by step. Print
    /// what is wrong, and end: with status 0 if nothing is. Nothing is registered. With --log-format
    /// json, the answer is JSON
    #[arg(long, visible_alias = "check", conflicts_with = "check_state")]
    pub check_config: bool,

    /// Check the state: the finished replies and the Contexts that this node keeps. Print what is
    /// wrong, and end: with status 0 if nothing is. Only the node's key is needed, and nothing is
    /// changed
    #[arg(long)]
    pub check_state: bool,

    /// With --check-state: remove damaged files. The node works on the message of a damaged reply
    /// again; a run whose Context is damaged begins with an empty one at this node
    #[arg(long, requires = "check_state", conflicts_with = "check_config")]
    pub repair: bool,

    /// error, warn, info, debug, trace, or a filter; RUST_LOG wins over it
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: String,

    /// Use gRPC. The node finds out by itself what its SuperLink speaks, and the flag changes nothing
    #[arg(long, hide = true)]
    pub grpc_rere: bool,

    /// Use the old REST transport, which is not built: the SuperNode ends, and tells the way out
    #[arg(long, hide = true)]
    pub rest: bool,

    /// Use the old adapter transport, which is not built: the SuperNode ends, and tells the way out
    #[arg(long, hide = true)]
    pub grpc_adapter: bool,

    /// Run only apps that these keys have signed, which is not built: the SuperNode ends
    #[arg(long, value_name = "FILE", hide = true)]
    pub trusted_entities: Option<PathBuf>,
}

impl Configurable for Args {
    const SIDE: Side = Side {
        private_key: ("client-key", "data/certificates/client.key"),
        certificate: ("client-certificate", "data/certificates/client.crt"),
        root: (&["root-certificates"], "data/certificates/rootCA.pem"),
        server_name: Some("server-name"),
        localhost_too: Some("localhost-too"),
    };

    const VARIABLES: &'static str = "FLOWER_SUPERNODE_";
}

/// A number of seconds, also with an `s` behind it.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text).trim_end();
    let seconds = number.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "expected a number of seconds, 0 or more".to_owned())
}

/// Where a certificate for `localhost` counts beside the address's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocalhostToo {
    /// Where the address is of this machine.
    Loopback,
    /// At each address, with a warning.
    Anywhere,
}

/// Who starts the ClientApp's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// The SuperNode.
    Subprocess,
    /// The operator, or pip's `flower-superexec`.
    Process,
}

/// How ClientApp processes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Start {
    /// With their imports done.
    Ahead,
    /// From nothing.
    Fresh,
}

/// Whether messages share a ClientApp process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Reuse {
    /// Each gets its own.
    Never,
    /// All of a run get the same.
    Run,
}

#[cfg(test)]
mod tests;
