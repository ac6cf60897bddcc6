//! The flags about SuperNodes that join where Fleet asks for client certificates.

use std::path::PathBuf;

use clap::Args;

/// The flags about SuperNodes that join where Fleet asks for client certificates.
#[derive(Debug, Default, Args)]
pub struct Joining {
    /// Issue client certificates to SuperNodes that join with a token (`flwr supernode join-token`):
    /// the certificate of the CA for that (PEM; `flwr cert ca` makes it), which must sign for nobody
    /// else. Fleet takes no SuperNode without a certificate then. Needs --enable-supernode-auth
    #[arg(long, value_name = "FILE")]
    pub node_ca_certfile: Option<PathBuf>,

    /// The private key of the CA of --node-ca-certfile (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub node_ca_keyfile: Option<PathBuf>,

    /// Let SuperNodes that have no certificate yet join here: nothing else is served. Needs
    /// --node-ca-certfile [default: nowhere]
    #[arg(long, value_name = "HOST:PORT")]
    pub join_api_address: Option<String>,
}
