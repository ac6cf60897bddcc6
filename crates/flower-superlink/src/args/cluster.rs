//! What is asked about a database that several SuperLinks work with.

use std::path::PathBuf;

use clap::Args;

/// Moves a state to a database server, and tells who works with that.
#[derive(Debug, Default, Args)]
pub struct Cluster {
    /// Bring the state of a stopped SuperLink from this file, the --database of that one, with its FABs
    /// and objects into the empty --database postgres://… and --storage or --storage-dir, and end. The
    /// file and its objects stay as they are. With --storage, --superlink-name names the SuperLink that
    /// will run on the machine of the old one
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["check_config", "check_state", "backup", "restore", "health", "superlinks"])]
    pub import: Option<PathBuf>,

    /// With --import: the --storage-dir of the old SuperLink [default: beside the file, FILE.storage]
    #[arg(long, value_name = "DIR", requires = "import")]
    pub import_storage_dir: Option<PathBuf>,

    /// List the SuperLinks that work with --database postgres://…, or were lost, and end. They may
    /// work meanwhile, and nothing is changed. With --log-format json, the answer is JSON
    #[arg(long)]
    #[arg(conflicts_with_all = ["check_config", "check_state", "backup", "restore", "health"])]
    pub superlinks: bool,
}

impl super::Args {
    /// The files by which callers are let in, each with its flag. They must be the same at all SuperLinks of a
    /// database.
    #[must_use]
    pub fn shared_files(&self) -> [(&'static str, &Option<PathBuf>); 9] {
        [
            ("--ssl-client-ca-certfile", &self.ssl_client_ca_certfile),
            ("--ssl-client-crl-file", &self.ssl_client_crl_file),
            ("--ssl-client-allow-list", &self.ssl_client_allow_list),
            (
                "--ssl-control-client-ca-certfile",
                &self.ssl_control_client_ca_certfile,
            ),
            (
                "--ssl-control-client-crl-file",
                &self.ssl_control_client_crl_file,
            ),
            (
                "--ssl-control-client-allow-list",
                &self.ssl_control_client_allow_list,
            ),
            ("--node-ca-certfile", &self.joining.node_ca_certfile),
            ("--auth-list-public-keys", &self.auth_list_public_keys),
            ("--account-auth-config", &self.account_auth_config),
        ]
    }
}
