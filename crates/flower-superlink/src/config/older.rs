//! Maps flags and variables of other releases of Flower to ours. Decides whether older SuperNodes are
//! served beside a key list.

use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use flwr_security::key::{KeyError, PrivateKey};
use flwr_security::private_files;

use super::ConfigError;
use crate::args::{Args, FleetType, Isolation};

/// Whether SuperNodes of flwr 1.8 to 1.14 are served where keys are asked for, and by which flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Older {
    /// By `--serve-older`.
    Asked,
    /// By `--require-client-authentication`, which names the SuperLink's key.
    Authenticated,
    /// By `--certificates`.
    Implied,
    /// Not at all.
    Off,
}

impl Older {
    /// What this command line, as it was typed, says.
    pub(super) const fn of(args: &Args) -> Self {
        if args.require_client_authentication.is_some() {
            Self::Authenticated
        } else if args.serve_older.is_some() {
            Self::Asked
        } else if args.certificates.is_some() {
            Self::Implied
        } else {
            Self::Off
        }
    }

    /// The key to share secrets by, and what the operator should know of the key.
    pub(super) fn own_key(
        self,
        args: &Args,
    ) -> Result<(Option<PrivateKey>, Option<String>), ConfigError> {
        let Some(file) = args.auth_superlink_private_key.as_deref() else {
            let is_needed = self == Self::Asked && args.auth_list_public_keys.is_some();
            return match is_needed {
                true => Err(ConfigError::OlderWithoutKey),
                false => Ok((None, None)),
            };
        };
        if self == Self::Off {
            // flwr 1.20 to 1.22 take the flag and do not look at the file: command lines that kept
            // it must start.
            let told = "--auth-superlink-private-key is not used: SuperNodes of flwr 1.9 to 1.14, which need it, are served with --serve-older 1.8 only, and later ones do without it";
            return Ok((None, Some(told.to_owned())));
        }
        match PrivateKey::from_file(file) {
            Ok(key) => Ok((Some(key), private_files::exposed(file))),
            Err(KeyError::Read { source, .. })
                if source.kind() == NotFound && self == Self::Implied =>
            {
                let file = file.display();
                let told = format!(
                    "--auth-superlink-private-key: there is no {file}: SuperNodes of flwr 1.9 to 1.14 cannot authenticate, later ones do without it"
                );
                Ok((None, Some(told)))
            }
            Err(unusable) => Err(ConfigError::OwnKey(unusable)),
        }
    }
}

impl Args {
    /// The same, in the flags of today.
    pub(super) fn modern(mut self) -> Self {
        if let Some(files) = self.certificates.take() {
            [self.ssl_ca_certfile, self.ssl_certfile, self.ssl_keyfile] = files_of(files);
            // Servers of that time spoke TLS there too, or `flower-server-app` could not come.
            self.appio.serverappio_tls = true;
        }
        if let Some(files) = self.require_client_authentication.take() {
            [
                self.auth_list_public_keys,
                self.auth_superlink_private_key,
                self.auth_superlink_public_key,
            ] = files_of(files);
        }
        self
    }
}

/// clap has counted them.
fn files_of(files: Vec<PathBuf>) -> [Option<PathBuf>; 3] {
    let mut files = files.into_iter();
    std::array::from_fn(|_| files.next())
}

/// What the operator should write today, and what changes nothing. `variable` gives the value of a
/// variable.
pub(super) fn deprecations(args: &Args, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut warnings: Vec<_> = todays_line(args).into_iter().collect();
    if args.exec_api_address.is_some() {
        warnings.push("--exec-api-address is deprecated: use --control-api-address".to_owned());
    }
    if args.isolation == Isolation::Process && args.appio.allow_runtime_dependency_installation {
        warnings.push("--allow-runtime-dependency-installation is of use with --isolation subprocess only: with process, give the flag to flower-superexec".to_owned());
    }
    let other = &args.other;
    let idle = [
        (
            other.simulationio_api_address.is_some(),
            "--simulationio-api-address",
            "no simulations are run",
        ),
        (
            other.fleet_api_num_workers.is_some(),
            "--fleet-api-num-workers",
            "Fleet is served by all cores",
        ),
        (other.executor.is_some(), "--executor", EXECUTOR),
        (other.executor_dir.is_some(), "--executor-dir", EXECUTOR),
        (
            other.executor_config.is_some(),
            "--executor-config",
            EXECUTOR,
        ),
        (
            variable("FLWR_DATABASE").is_some() && args.database.is_none(),
            "the variable FLWR_DATABASE",
            "--database names the file of the state",
        ),
        (
            is_on(&variable, "FLWR_ENABLE_EVENT_LOG"),
            "the variable FLWR_ENABLE_EVENT_LOG",
            "there is no log of events",
        ),
    ];
    let idle = idle.into_iter().filter(|(is_given, ..)| *is_given);
    warnings.extend(idle.map(|(_, name, why)| format!("{name} is not used: {why}")));
    warnings
}

const EXECUTOR: &str = "runs are started by --isolation";

fn is_on(variable: impl Fn(&str) -> Option<String>, name: &str) -> bool {
    variable(name).is_some_and(|value| value == "1")
}

/// Refuses flags and variables for what is not built.
pub(super) fn not_built(
    args: &Args,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), ConfigError> {
    let other = &args.other;
    let signs_in = args.account_auth_config.is_some();
    let (name, way_out) = if other.simulation {
        (
            "--simulation",
            "this SuperLink runs apps on SuperNodes. `flwr up` starts it with SuperNodes of this machine; flwr's own flower-superlink runs simulations",
        )
    } else if other.disable_grpc_api {
        (
            "--disable-grpc-api",
            "each port serves gRPC and HTTP. Leave the flag out, and close ports 9091, 9092 and 9093 to others by their addresses (--fleet-api-address 127.0.0.1:9092 …) where only --host and --port are to be reached",
        )
    } else if other.fleet_api_type == Some(FleetType::Rest) {
        (
            "--fleet-api-type rest",
            "leave the flag out: SuperNodes connect by gRPC to --fleet-api-address (without --rest), or by the HTTP of flwr 1.40 and later to --port",
        )
    } else if other.fleet_api_type == Some(FleetType::GrpcAdapter) {
        (
            "--fleet-api-type grpc-adapter",
            "leave the flag out: SuperNodes connect by plain gRPC to the same address (without --grpc-adapter)",
        )
    } else if is_on(variable, "FLWR_OIDC_ENABLED") && !signs_in {
        (
            "the variable FLWR_OIDC_ENABLED",
            "without an account everybody would be let in. Name the OpenID provider and the accounts with --account-auth-config FILE, or unset the variable",
        )
    } else {
        return Ok(());
    };
    Err(ConfigError::NotBuilt { name, way_out })
}

/// One line for the flags that have other names today.
fn todays_line(args: &Args) -> Option<String> {
    let mut old = Vec::new();
    let mut today = "flower-superlink".to_owned();
    let mut is_now = |flag: &str, file: &Path| {
        today.push_str(&format!(" {flag} {}", file.display()));
    };
    if let Some([ca, certificate, key]) = args.certificates.as_deref() {
        old.push("--certificates");
        is_now("--ssl-ca-certfile", ca);
        is_now("--ssl-certfile", certificate);
        is_now("--ssl-keyfile", key);
    }
    if let Some([list, key, _]) = args.require_client_authentication.as_deref() {
        old.push("--require-client-authentication");
        is_now("--auth-list-public-keys", list);
        is_now("--auth-superlink-private-key", key);
    }
    if !old.is_empty()
        && (args.require_client_authentication.is_some()
            || args.auth_superlink_private_key.is_some())
    {
        today.push_str(" --serve-older 1.8");
    }
    if old.contains(&"--certificates") {
        today.push_str(" --serverappio-tls");
    }
    let old = (!old.is_empty()).then(|| old.join(" and "))?;
    Some(format!("{old}: deprecated; today's command is `{today}`"))
}
