//! The flags about ClientAppIo, where ClientApp processes reach the node.

use std::path::PathBuf;

use clap::Args;
use flwr_daemon::appio::AppChannel;
use flwr_daemon::network::Network;

/// The flags about ClientAppIo, where ClientApp processes reach the node.
#[derive(Clone, Debug, Default, Args)]
pub struct AppIo {
    /// Where ClientApp processes reach this node. With --isolation subprocess that is this machine,
    /// and another address counts for its port. With process, other machines need --ssl-certfile or
    /// --allow-plaintext-appio [default: 127.0.0.1:9094, with that leave 0.0.0.0:9094]
    #[arg(long, value_name = "HOST:PORT")]
    pub clientappio_api_address: Option<String>,

    /// How the ClientApp processes that are started here call: over a pair of sockets of their own and
    /// shared memory (native, which only Linux has), or over the port (tcp)
    #[arg(long, value_enum, default_value_t, value_name = "CHANNEL")]
    pub app_channel: AppChannel,

    /// Speak plaintext with ClientApp processes of other machines. Whoever reads the network between
    /// can take their tokens, and read and change models and results
    #[arg(long)]
    pub allow_plaintext_appio: bool,

    /// With --isolation process: let only those start ClientApps who hold the secret in this file,
    /// as `flower-superexec` of flwr 1.29 and later does with the same flag
    #[arg(long, value_name = "FILE")]
    pub superexec_auth_secret_file: Option<PathBuf>,

    /// With --isolation process: let those start ClientApps who call from these addresses, for a
    /// `flower-superexec` that knows no secret. Several with commas: 10.0.0.0/8,192.0.2.7 [default:
    /// this machine, by its loopback address, unless there is a secret]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', action = clap::ArgAction::Set)]
    pub appio_allow_from: Vec<Network>,

    /// As --clientappio-api-address, in two flags, as flwr 1.35 and later have them [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", conflicts_with = "clientappio_api_address")]
    pub host: Option<String>,

    /// The port at --host; 0 takes a free one [default: 9094]
    #[arg(long, value_name = "PORT", conflicts_with = "clientappio_api_address")]
    pub port: Option<u16>,

    /// Speak TLS with ClientApp processes of flwr 1.30 and later, with this certificate (PEM, with its
    /// chain). It must be for the address at which they reach this node. Earlier ones speak plaintext,
    /// on this machine
    #[arg(long, value_name = "FILE", alias = "appio-ssl-certfile")]
    pub ssl_certfile: Option<PathBuf>,

    /// The private key of the certificate of --ssl-certfile (PEM, not encrypted)
    #[arg(long, value_name = "FILE", alias = "appio-ssl-keyfile")]
    pub ssl_keyfile: Option<PathBuf>,

    /// The CA certificate that signed the certificate of --ssl-certfile (PEM), which ClientApp
    /// processes trust
    #[arg(long, value_name = "FILE", alias = "appio-ssl-ca-certfile")]
    pub ssl_ca_certfile: Option<PathBuf>,

    /// Have ClientApp processes install what their app depends on, by `uv`, before the app starts:
    /// those of flwr 1.29 and later can, and need a package index. Each then starts from nothing
    #[arg(long)]
    pub allow_runtime_dependency_installation: bool,
}
