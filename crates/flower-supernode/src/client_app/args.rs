//! What was typed, as flwr 1.8 to 1.10 name it, and what that is in the flags of today.

use std::path::PathBuf;

use clap::Parser;
use flwr_core::fab::AppRef;
use flwr_core::proxy::ProxySetting;

/// Connect to a SuperLink, and run a ClientApp that lies in a directory here for its messages.
///
/// An older command of Flower: today a `flower-supernode` gets its app with the run.
#[derive(Debug, Parser)]
#[command(infer_long_args = true, args_override_self = true)]
#[command(name = "flower-client-app", version = crate::args::VERSION, max_term_width = 100)]
#[command(after_help = "Example:
  flower-client-app client:app --root-certificates certificates/ca.crt --server 127.0.0.1:9092 \\
      --authentication-keys keys/client_credentials_1 keys/client_credentials_1.pub")]
pub(crate) struct Args {
    /// The ClientApp: <module>:<attribute>
    #[arg(value_name = "MODULE:ATTRIBUTE")]
    pub(crate) client_app: AppRef,

    /// Connect without TLS. Everybody on the way can read and change models and results
    #[arg(long)]
    insecure: bool,

    /// PEM file with the certificates of the authorities to trust; without it and without
    /// --insecure, the system's authorities are trusted
    #[arg(long, value_name = "FILE")]
    root_certificates: Option<PathBuf>,

    /// The SuperLink's Fleet address
    #[arg(
        long,
        alias = "superlink",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092"
    )]
    server: String,

    /// This node's private key and the public key that belongs to it
    #[arg(long, num_args = 2, value_names = ["PRIVATE_KEY", "PUBLIC_KEY"])]
    authentication_keys: Option<Vec<PathBuf>>,

    /// The directory that the app is in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none; to this
    /// machine itself there is none [default: $grpc_proxy, $https_proxy or $http_proxy, but for the
    /// hosts in $no_grpc_proxy or $no_proxy]
    #[arg(long, value_name = "URL|none")]
    pub(crate) proxy: Option<ProxySetting>,

    /// Give up after this many retries of one request; without it, retry for ever
    #[arg(long, value_name = "N")]
    max_retries: Option<u64>,

    /// Give up when one request has been retried for this many seconds; without it, retry for
    /// ever
    #[arg(long, value_name = "SECONDS")]
    max_wait_time: Option<f64>,

    /// Use gRPC; there is nothing else, and the flag changes nothing
    #[arg(long, hide = true)]
    grpc_rere: bool,
}

impl Args {
    /// The same in the words of today, the program's name first.
    pub(crate) fn todays_flags(&self) -> Vec<String> {
        let shown = |path: &PathBuf| path.display().to_string();
        let mut flags = vec!["flower-supernode".to_owned()];
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                flags.extend([flag.to_owned(), value]);
            }
        };
        add(
            "--root-certificates",
            self.root_certificates.as_ref().map(shown),
        );
        add("--superlink", Some(self.server.clone()));
        if let Some([private, public]) = self.authentication_keys.as_deref() {
            add("--auth-supernode-private-key", Some(shown(private)));
            add("--auth-supernode-public-key", Some(shown(public)));
        }
        add("--max-retries", self.max_retries.map(|n| n.to_string()));
        add("--max-wait-time", self.max_wait_time.map(|s| s.to_string()));
        // Several of these commands run on one machine, and none ever took a port.
        add("--clientappio-api-address", Some("127.0.0.1:0".to_owned()));
        if self.insecure {
            flags.push("--insecure".to_owned());
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_line_is_read() {
        let line = "flower-client-app client:app --root-certificates certificates/ca.crt \
            --server 127.0.0.1:9092 --authentication-keys keys/c_1 keys/c_1.pub";
        let args = Args::try_parse_from(line.split_whitespace()).unwrap();
        let today = "flower-supernode --root-certificates certificates/ca.crt \
            --superlink 127.0.0.1:9092 --auth-supernode-private-key keys/c_1 \
            --auth-supernode-public-key keys/c_1.pub --clientappio-api-address 127.0.0.1:0";
        assert_eq!(args.todays_flags().join(" "), today);
    }

    #[test]
    fn half_a_pair_of_keys_and_what_is_no_app_are_wrong_usage() {
        for line in [
            "flower-client-app client:app --authentication-keys one",
            "flower-client-app client",
            "flower-client-app",
        ] {
            assert!(
                Args::try_parse_from(line.split_whitespace()).is_err(),
                "{line}"
            );
        }
    }
}
