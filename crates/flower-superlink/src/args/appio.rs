//! The flags about ServerAppIo, where ServerApp processes connect to.

use std::path::PathBuf;

use clap::Args;
use flwr_daemon::appio::AppChannel;
use flwr_daemon::network::Network;

/// The flags about ServerAppIo, where ServerApp processes connect to.
#[derive(Debug, Default, Args)]
pub struct AppIo {
    /// Where ServerApp processes connect to. With `--isolation subprocess` that is this machine, and
    /// another address counts for its port. With `process`, other machines need --serverappio-tls,
    /// --appio-ssl-certfile or --allow-plaintext-appio [default: 127.0.0.1:9091, with that leave
    /// 0.0.0.0:9091]
    #[arg(long, value_name = "HOST:PORT")]
    pub serverappio_api_address: Option<String>,

    /// How the ServerApp processes that are started here call: over a pair of sockets of their own and
    /// shared memory (native, which only Linux has), or over the port (tcp, and always with
    /// --serverappio-advertise)
    #[arg(long, value_enum, default_value_t, value_name = "CHANNEL")]
    pub app_channel: AppChannel,

    /// Speak plaintext with ServerApp processes of other machines. Whoever reads the network between
    /// can take their tokens, read models and speak for their runs
    #[arg(long)]
    pub allow_plaintext_appio: bool,

    /// With `--isolation process`: let only those start ServerApps who hold the secret in this file,
    /// as `flower-superexec` of flwr 1.29 and later does with the same flag
    #[arg(long, value_name = "FILE")]
    pub superexec_auth_secret_file: Option<PathBuf>,

    /// With `--isolation process`: let those start ServerApps who call from these addresses, for a
    /// `flower-superexec` that knows no secret. Several with commas: 10.0.0.0/8,192.0.2.7 [default:
    /// this machine, by its loopback address, unless there is a secret]
    #[arg(long, value_name = "CIDR", value_delimiter = ',', action = clap::ArgAction::Set)]
    pub appio_allow_from: Vec<Network>,

    /// Let ServerApps come that were started elsewhere and make their runs themselves, over TLS, as
    /// those of `flower-server-app` do; plaintext is then for processes of this machine
    #[arg(long)]
    pub serverappio_tls: bool,

    /// Speak TLS with ServerApp processes of flwr 1.30 and later, with this certificate (PEM, with its
    /// chain). It must be for the address that they connect to. Earlier ones speak plaintext, on this
    /// machine
    #[arg(long, value_name = "FILE", conflicts_with = "serverappio_tls")]
    pub appio_ssl_certfile: Option<PathBuf>,

    /// The private key of the certificate of --appio-ssl-certfile (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub appio_ssl_keyfile: Option<PathBuf>,

    /// The CA certificate that signed the certificate of --appio-ssl-certfile (PEM), which ServerApp
    /// processes trust
    #[arg(long, value_name = "FILE")]
    pub appio_ssl_ca_certfile: Option<PathBuf>,

    /// Have ServerApp processes install what their app depends on, by `uv`, before the app starts:
    /// those of flwr 1.29 and later can, and need a package index. flwr's SuperLink does so by itself
    /// from 1.32 on, this one only with the flag
    #[arg(long)]
    pub allow_runtime_dependency_installation: bool,

    /// Not needed: nothing is installed unless --allow-runtime-dependency-installation says so
    #[arg(
        long,
        hide = true,
        conflicts_with = "allow_runtime_dependency_installation"
    )]
    pub disable_runtime_dependency_installation: bool,
}
