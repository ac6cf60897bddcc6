//! The SuperLink of a command, and the arguments of `flwr doctor`, `flwr login` and `flwr logout`.

use std::path::PathBuf;

use clap::Args;
use flwr_core::proxy::ProxySetting;

use super::{Format, Target};

/// The SuperLink of a command that needs no app.
#[derive(Debug, Args)]
pub struct SuperLinkArgs {
    /// Name of the federation; the default one if absent.
    pub federation: Option<String>,
    /// Directory of an app, whose federations count too.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub app: PathBuf,
    /// Override settings of the federation, in `key=value` pairs.
    #[arg(long, value_name = "PAIRS")]
    pub federation_config: Vec<String>,
    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none.
    ///
    /// To this machine itself there is none. If absent, `proxy` of the federation says, or else
    /// $grpc_proxy, $https_proxy or $http_proxy, but for the hosts in $no_grpc_proxy or $no_proxy.
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

impl SuperLinkArgs {
    /// The same, as commands have it that take an app.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            app: self.app.clone(),
            federation: self.federation.clone(),
            federation_config: self.federation_config.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

/// `flwr doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 everything works, 1 something does not.

Examples:
  flwr doctor                       the default federation
  flwr doctor hospital              one of `flwr federation list`
  flwr doctor --format json | jq '.findings[] | select(.outcome == \"failed\")'")]
pub struct DoctorArgs {
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
}

/// `flwr login`
#[derive(Debug, Args)]
#[command(after_help = "\
The federation has `enable-user-auth = true`. The tokens are kept, for you alone, in `.flwr` of the
app, or in Flower's home directory for federations of `flwr federation list`.")]
pub struct LoginArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
}

/// `flwr logout`
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
}
