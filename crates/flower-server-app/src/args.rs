//! What was typed, as flwr 1.8 to 1.10 name it.

use std::path::PathBuf;

use clap::Parser;
use flwr_core::fab::AppRef;
use flwr_core::proxy::ProxySetting;

/// Version of this program, and its commit.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    ")"
);

/// Make a run on a SuperLink, execute a ServerApp that lies in a directory here, and leave with
/// the run's result.
///
/// An older command of Flower: today `flwr run` sends the app to the SuperLink. It needs a
/// SuperLink of this workspace, with --serverappio-tls (or --insecure on both sides).
#[derive(Debug, Parser)]
#[command(infer_long_args = true, args_override_self = true)]
#[command(name = "flower-server-app", version = VERSION, max_term_width = 100)]
#[command(after_help = "Example:
  flower-server-app server:app --root-certificates certificates/ca.crt --dir ./ \\
      --server 127.0.0.1:9091

Exit status: 0 the run was completed, 1 it was not, 2 wrong usage.")]
pub(crate) struct Args {
    /// The ServerApp: <module>:<attribute>
    #[arg(value_name = "MODULE:ATTRIBUTE")]
    pub(crate) server_app: AppRef,

    /// Connect without TLS. Everybody on the way can read and change models and results
    #[arg(long, conflicts_with = "root_certificates")]
    pub(crate) insecure: bool,

    /// PEM file with the certificates of the authorities to trust; without it and without
    /// --insecure, the system's authorities are trusted
    #[arg(long, value_name = "FILE")]
    pub(crate) root_certificates: Option<PathBuf>,

    /// The SuperLink's ServerAppIo address
    #[arg(
        long,
        alias = "superlink",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9091"
    )]
    pub(crate) server: String,

    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none; to this
    /// machine itself there is none [default: $grpc_proxy, $https_proxy or $http_proxy, but for the
    /// hosts in $no_grpc_proxy or $no_proxy]
    #[arg(long, value_name = "URL|none")]
    pub(crate) proxy: Option<ProxySetting>,

    /// The directory that the app is in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Flower's directory [default: $FLWR_HOME, $XDG_DATA_HOME/.flwr or ~/.flwr]
    #[arg(long, value_name = "DIR")]
    pub(crate) flwr_dir: Option<PathBuf>,

    /// Log more
    #[arg(long)]
    pub(crate) verbose: bool,
}

impl Args {
    /// One line about what to write today.
    pub(crate) fn todays_command(&self) -> String {
        format!(
            "flower-server-app is deprecated: make the directory an app with a pyproject.toml, in \
             which serverapp = \"{}\", and use `flwr run {}`",
            self.server_app,
            self.dir.display()
        )
    }
}
