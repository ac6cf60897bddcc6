//! What was typed. What it means is in `config`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use flwr_core::proxy::ProxySetting;
use flwr_daemon::config_file::{Configurable, Side};
use flwr_daemon::metrics::MetricsFlags;
use flwr_daemon::network::Network;

use crate::link::Keep;

mod amounts;
mod appio;
mod bucket;
mod cluster;
mod joining;
mod keep;
mod logs;
mod other;
mod saving;
mod server;

pub use appio::AppIo;
pub use cluster::Cluster;
pub use joining::Joining;
pub use logs::Logs;
pub use other::{FleetType, Other};
pub use saving::Saving;
pub use server::DatabaseServer;

use amounts::{bytes, in_flight, milliseconds, seconds};

/// The commit that this program was built from.
pub const COMMIT: &str = env!("FLWR_COMMIT");

/// Version of this program, its commit, and the generations of the wire it speaks.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    "; speaks flwr 1.8 to 1.43, but for 1.19)"
);

/// Coordinate a Flower federation: SuperNodes connect to it, and `flwr` starts runs on it.
///
/// TLS is on unless --insecure says otherwise: then --ssl-ca-certfile, --ssl-certfile and
/// --ssl-keyfile are needed, which `flwr cert new` makes. Certificates, keys and lists are read
/// again when their files change, and on SIGHUP.
#[derive(Debug, Parser)]
// As Python's argparse, which scripts were written for: prefixes of flags, and the last one wins.
#[command(infer_long_args = true, args_override_self = true)]
#[command(name = "flower-superlink", version = VERSION, max_term_width = 100)]
#[command(after_help = "Examples:
  flwr cert new && flower-superlink --ssl-ca-certfile certificates/ca.crt \\
      --ssl-certfile certificates/server.pem --ssl-keyfile certificates/server.key
  flower-superlink --insecure                                  # on one machine, to try things out
  flower-superlink --check-state --database FILE               # is everything there, and whole?
  flower-superlink --backup DIR --database FILE                # also while it serves
  flower-superlink --simulation ...                            # starts pip's, the next on PATH

Each flag may also stand in the environment, e.g. FLOWER_SUPERLINK_FLEET_API_ADDRESS; what is typed
wins over that, and that over --config.
Exit status: 0 success, 1 failure, 2 wrong flags or files.")]
pub struct Args {
    /// Take flags from this JSON or TOML file, by their long names; what is typed wins. Mutual TLS
    /// may be described there by use_secure_connection, ssl_private_key, ssl_cert and ssl_root_cert
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Speak plaintext on Fleet and Control. Everything can be read and changed on the way
    #[arg(long)]
    pub insecure: bool,

    /// The CA certificate that signed the server's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub ssl_ca_certfile: Option<PathBuf>,

    /// The server's certificate, with its chain if there is one (PEM)
    #[arg(long, value_name = "FILE")]
    pub ssl_certfile: Option<PathBuf>,

    /// The private key of the server's certificate (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub ssl_keyfile: Option<PathBuf>,

    /// Ask clients for a certificate that was signed by a CA in this file (PEM): SuperNodes, and
    /// `flwr` unless --control-client-auth says otherwise. Needs TLS
    #[arg(long, value_name = "FILE")]
    pub ssl_client_ca_certfile: Option<PathBuf>,

    /// Refuse client certificates that these lists say are revoked (PEM; one list for each CA)
    #[arg(long, value_name = "FILE")]
    pub ssl_client_crl_file: Option<PathBuf>,

    /// Of the clients with a good certificate let in only those that this text file names, one a
    /// line: by subject, by CN=name, or by a name in the subjectAltName
    #[arg(long, value_name = "FILE")]
    pub ssl_client_allow_list: Option<PathBuf>,

    /// On Control, ask for certificates that a CA in this file has signed (PEM), and not a CA of
    /// --ssl-client-ca-certfile. With one CA for both, certificates of SuperNodes (`flwr cert sign
    /// --use node`, and those that were seen on Fleet) are refused on Control
    #[arg(long, value_name = "FILE")]
    pub ssl_control_client_ca_certfile: Option<PathBuf>,

    /// As --ssl-client-crl-file, of the CAs of --ssl-control-client-ca-certfile
    #[arg(long, value_name = "FILE")]
    pub ssl_control_client_crl_file: Option<PathBuf>,

    /// As --ssl-client-allow-list, of those who may call Control: no other list counts there
    #[arg(long, value_name = "FILE")]
    pub ssl_control_client_allow_list: Option<PathBuf>,

    /// The certificates of SuperNodes that join, and where they join.
    #[command(flatten)]
    pub joining: Joining,

    /// Whether `flwr` must show a client certificate too, where SuperNodes must
    #[arg(long, value_enum, default_value = "required")]
    pub control_client_auth: ClientAuth,

    /// Accept certificates of X.509 version 1 or without a subjectAltName, as old versions of
    /// openssl write them, if a CA given here has signed them itself; and as the server's own
    #[arg(long)]
    pub ssl_allow_legacy_certificates: bool,

    /// The older form of --ssl-ca-certfile, --ssl-certfile and --ssl-keyfile; implies
    /// --serverappio-tls and --serve-older 1.8
    #[arg(long, num_args = 3, value_names = ["CA", "CERT", "KEY"], hide = true)]
    #[arg(conflicts_with_all = ["ssl_ca_certfile", "ssl_certfile", "ssl_keyfile"])]
    pub certificates: Option<Vec<PathBuf>>,

    /// The older form of --auth-list-public-keys; implies --serve-older 1.8
    #[arg(long, num_args = 3, value_names = ["CSV", "PRIVATE_KEY", "PUBLIC_KEY"], hide = true)]
    #[arg(conflicts_with = "auth_list_public_keys")]
    pub require_client_authentication: Option<Vec<PathBuf>>,

    /// Let in only SuperNodes whose public key is in this CSV file of OpenSSH public keys. Needs TLS
    #[arg(long, value_name = "FILE")]
    pub auth_list_public_keys: Option<PathBuf>,

    /// Let in SuperNodes that `flwr supernode register` has registered, and listed ones. Needs TLS
    #[arg(long)]
    pub enable_supernode_auth: bool,

    /// With --serve-older: the SuperLink's own key, by which SuperNodes of flwr 1.9 to 1.14 on the
    /// list prove who they are; later ones need none
    #[arg(long, value_name = "FILE")]
    pub auth_superlink_private_key: Option<PathBuf>,

    /// Not needed: it is in the private key
    #[arg(long, value_name = "FILE", hide = true)]
    pub auth_superlink_public_key: Option<PathBuf>,

    /// With --auth-list-public-keys: serve SuperNodes of flwr 1.8 to 1.14 on the list too. Their
    /// proof, an HMAC, names neither the time nor the method; without a list they are served anyway
    #[arg(long, value_enum, value_name = "RELEASE")]
    pub serve_older: Option<Older>,

    /// Let in only people who have signed in (`flwr login`) at the OpenID provider that this TOML or
    /// JSON file names, and are on its list; a run is then its owner's and the admins'. Needs TLS.
    /// docs/accounts.md tells what is in the file
    #[arg(long, value_name = "FILE", alias = "user-auth-config")]
    pub account_auth_config: Option<PathBuf>,

    /// Connect to the OpenID provider through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or
    /// through none [default: $https_proxy, but for the hosts in $no_proxy]
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,

    /// Who starts the ServerApp processes: the SuperLink itself (`subprocess`), or somebody else,
    /// such as `flower-superexec` (`process`)
    #[arg(long, value_enum, default_value = "subprocess")]
    pub isolation: Isolation,

    /// How ServerApp processes begin: one is started before there is a run for it, with Python and
    /// Flower imported (ahead; about 75 MB while it waits), or each from nothing (fresh)
    #[arg(long, value_enum, default_value = "ahead")]
    pub serverapp_start: Start,

    /// Keep the state in this file; it survives whatever happens to the SuperLink. `:memory:`
    /// (also `:flwr-in-memory:` and `:flwr-in-memory-state:`) keeps it in memory, and it is gone
    /// when the SuperLink ends. postgres://USER@HOST/NAME?sslmode=verify-full keeps it in a
    /// PostgreSQL database; with --storage too, several SuperLinks are one federation
    /// [default: superlink/state.db in Flower's home directory]
    #[arg(long, value_name = "FILE|URL")]
    pub database: Option<String>,

    /// What belongs to a database that is a server.
    #[command(flatten)]
    pub server: DatabaseServer,

    /// Keep FABs and message objects as files in this directory [default: beside the database,
    /// FILE.storage; in memory where the state is]
    #[arg(long, value_name = "DIR")]
    pub storage_dir: Option<PathBuf>,

    /// The bucket for FABs and message objects.
    #[command(flatten)]
    pub bucket: bucket::BucketArgs,

    /// Refuse new runs and messages while state, FABs and objects take more than this; what is
    /// on its way still comes, so leave room for a round. K, M, G and T stand for 1024, 1024²,
    /// 1024³ and 1024⁴ bytes [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub max_storage: Option<u64>,

    /// Let requests of so many bytes be under way at the same time, and of one SuperNode or address
    /// half of them; others wait. Callers that are not admitted yet have half of them together. At
    /// least 32M. A message above half of it is refused
    #[arg(long, value_name = "BYTES", default_value = "4G", value_parser = in_flight)]
    pub max_in_flight: u64,

    /// Keep finished runs, with their logs, this long (90d, 12h; units: s, m, h, d, w) or this many
    /// (1000, those that finished last), and delete the others
    #[arg(long, value_name = "TIME|NUMBER|forever", default_value = "forever", value_parser = keep::keep)]
    pub keep_runs: Keep,

    /// A run whose ServerApp process is gone after a restart of the SuperLink begins again, once,
    /// under the same run id, instead of being failed
    #[arg(long)]
    pub resume_runs: bool,

    /// Check the configuration: flags, certificates, keys, ports and places. Print what is wrong, and
    /// end: with status 0 if nothing is. Nothing is written. With --log-format json, the answer is
    /// JSON
    #[arg(long, conflicts_with = "check_state")]
    pub check_config: bool,

    /// Check the state: the database, and the storage directory or bucket. Print what takes the space and what
    /// is wrong, and end: with status 0 if nothing is. No other flags are needed, and nothing is
    /// changed
    #[arg(long, visible_alias = "check")]
    pub check_state: bool,

    /// With --check-state: mend what can be mended. Runs that lost something are failed
    #[arg(long, requires = "check_state", conflicts_with = "check_config")]
    pub repair: bool,

    /// Backups.
    #[command(flatten)]
    pub saving: Saving,

    /// A database that several SuperLinks work with.
    #[command(flatten)]
    pub cluster: Cluster,

    /// Hold a SuperNode's call for a message so long when there is none; 0 answers at once, and
    /// more than 50 is cut by common proxies
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub node_hold: Duration,

    /// Hold a ServerApp's call for replies so long when there is none. Its own `timeout` is
    /// checked only between two calls
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub app_hold: Duration,

    /// Once a first reply is there: wait so long for the others. A ServerApp that sleeps 3 s after
    /// an answer without all replies, as Flower's `send_and_receive` does, gets up to 3 s
    #[arg(long, value_name = "MILLISECONDS", default_value = "200", value_parser = milliseconds)]
    pub reply_linger: Duration,

    /// Let one address have so many connections over which nobody was admitted; each ends after a
    /// minute [default: an eighth of the files that may be open, 64 at least]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_strangers: Option<u16>,

    /// Take the true address of clients from the balancers in this network, which must send version
    /// 2 of the PROXY protocol to Fleet and Control; nobody else may. Several with commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',', num_args = 1.., action = clap::ArgAction::Set)]
    pub proxy_protocol_from: Vec<Network>,

    /// Flower's home directory [default: $FLWR_HOME, $XDG_DATA_HOME/.flwr or ~/.flwr]
    #[arg(long, value_name = "DIR")]
    pub flwr_dir: Option<PathBuf>,

    /// Where ServerApp processes connect to, and how.
    #[command(flatten)]
    pub appio: AppIo,

    /// Where SuperNodes connect to
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:9092")]
    pub fleet_api_address: String,

    /// Where `flwr` connects to [default: 0.0.0.0:9093]
    #[arg(long, value_name = "HOST:PORT")]
    pub control_api_address: Option<String>,

    /// The older name of --control-api-address
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with = "control_api_address",
        hide = true
    )]
    pub exec_api_address: Option<String>,

    /// Where all services are reached together over HTTP, by SuperNodes of flwr 1.40 and later, `flwr`
    /// of 1.37 and later, and apps of 1.35 and later on this machine [default: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,

    /// The port at --host; 0 takes a free one [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Serve gRPC health checks here, in plaintext [default: not at all]
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

    /// What is logged, and where.
    #[command(flatten)]
    pub logs: Logs,

    /// Flags of SuperLinks of other releases.
    #[command(flatten)]
    pub other: Other,
}

/// Who starts app processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// The daemon.
    Subprocess,
    /// Somebody else.
    Process,
}

/// Whether a client must show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientAuth {
    /// It must.
    Required,
    /// It need not.
    None,
}

/// The oldest release whose SuperNodes are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Older {
    /// Those of flwr 1.8 and later.
    #[value(name = "1.8")]
    V1_8,
}

/// How ServerApp processes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Start {
    /// With their imports done.
    Ahead,
    /// From nothing.
    Fresh,
}

impl Configurable for Args {
    const SIDE: Side = Side {
        private_key: ("ssl-keyfile", "data/certificates/server.key"),
        certificate: ("ssl-certfile", "data/certificates/server.crt"),
        root: (
            &["ssl-ca-certfile", "ssl-client-ca-certfile"],
            "data/certificates/rootCA.pem",
        ),
        server_name: None,
        localhost_too: None,
    };

    const VARIABLES: &'static str = "FLOWER_SUPERLINK_";
}

#[cfg(test)]
mod tests;
