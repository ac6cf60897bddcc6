//! What was typed. What it means is in `config`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use flwr_daemon::telemetry::Format;

/// Coordinate a Flower federation: SuperNodes connect to it, and `flwr` starts runs on it.
///
/// TLS is on unless --insecure says otherwise: then --ssl-ca-certfile, --ssl-certfile and
/// --ssl-keyfile are needed, which `flwr cert new` makes.
#[derive(Debug, Parser)]
// As Python's argparse, which scripts were written for: prefixes of flags, and the last one wins.
#[command(infer_long_args = true, args_override_self = true)]
#[command(name = "flower-superlink", version, max_term_width = 100)]
#[command(after_help = "Examples:
  flwr cert new && flower-superlink --ssl-ca-certfile certificates/ca.crt \\
      --ssl-certfile certificates/server.pem --ssl-keyfile certificates/server.key
  flower-superlink --insecure                                  # on one machine, to try things out")]
pub struct Args {
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

    /// Let in only SuperNodes whose public key is in this CSV file of OpenSSH public keys. It is
    /// read again on SIGHUP. Needs TLS
    #[arg(long, value_name = "FILE")]
    pub auth_list_public_keys: Option<PathBuf>,

    /// Deprecated and ignored
    #[arg(long, value_name = "FILE", hide = true)]
    pub auth_superlink_private_key: Option<PathBuf>,

    /// Deprecated and ignored
    #[arg(long, value_name = "FILE", hide = true)]
    pub auth_superlink_public_key: Option<PathBuf>,

    /// Who starts the ServerApp processes: the SuperLink itself (`subprocess`), or somebody else,
    /// such as `flower-superexec` (`process`)
    #[arg(long, value_enum, default_value = "subprocess")]
    pub isolation: Isolation,

    /// Where the state is kept. Only `:flwr-in-memory-state:` (also `:memory:` and
    /// `:flwr-in-memory:`) for now: it is gone when the SuperLink ends
    #[arg(long, value_name = "WHERE", default_value = ":flwr-in-memory-state:")]
    pub database: String,

    /// Keep FABs and message objects as files in this directory, instead of in memory
    #[arg(long, value_name = "DIR")]
    pub storage_dir: Option<PathBuf>,

    /// Flower's home directory, for the ServerApp processes [default: $FLWR_HOME or ~/.flwr]
    #[arg(long, value_name = "DIR")]
    pub flwr_dir: Option<PathBuf>,

    /// Where ServerApp processes connect to, always in plaintext [default: 127.0.0.1:9091, with
    /// `--isolation process` 0.0.0.0:9091]
    #[arg(long, value_name = "HOST:PORT")]
    pub serverappio_api_address: Option<String>,

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

    /// Serve gRPC health checks here, in plaintext [default: not at all]
    #[arg(long, value_name = "HOST:PORT")]
    pub health_server_address: Option<String>,

    /// What to log: error, warn, info, debug, trace, or a filter as in RUST_LOG, which wins
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// How to log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,
}

/// Who starts app processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// The daemon.
    Subprocess,
    /// Somebody else.
    Process,
}
