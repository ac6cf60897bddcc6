//! The arguments of `flwr supernode`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::link::SuperLinkArgs;
use super::value::{location, node_id};
use super::{Format, JoinTokenCommand, Target};

/// `flwr supernode`
#[derive(Debug, Subcommand)]
pub enum SupernodeCommand {
    /// Register a SuperNode by its public key.
    Register(SupernodeRegisterArgs),
    /// Unregister a SuperNode: it is cut off at once, and cannot come back.
    Unregister(SupernodeUnregisterArgs),
    /// List the SuperNodes that are registered.
    #[command(visible_alias = "ls")]
    List(SupernodeListArgs),
    /// Tokens by which SuperNodes join, in one line and without files.
    JoinToken {
        /// What to do with them.
        #[command(subcommand)]
        command: JoinTokenCommand,
    },
}

impl SupernodeCommand {
    /// The format of the answer.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Register(args) => args.at.format,
            Self::Unregister(args) => args.at.format,
            Self::List(args) => args.format,
            Self::JoinToken { command } => command.format(),
        }
    }
}

/// `flwr supernode register`
#[derive(Debug, Args)]
#[command(after_help = "\
The SuperNode starts with the private key, and comes in by it: flower-supernode
--auth-supernode-private-key KEY --auth-supernode-public-key KEY.pub. It belongs to the account that
registers it.

Examples:
  flwr supernode register keys/client_credentials_1.pub
  flwr supernode register node.pub hospital --format json | jq -r '.\"node-id-text\"'")]
pub struct SupernodeRegisterArgs {
    /// The public key: an OpenSSH line, as in the `.pub` files of `flwr key new` and ssh-keygen, or PEM.
    #[arg(value_name = "KEY")]
    pub key: PathBuf,
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
    /// What to call it.
    #[arg(long)]
    pub name: Option<String>,
    /// Where it is, in degrees of latitude and longitude.
    #[arg(long, value_name = "LAT,LON", value_parser = location, allow_hyphen_values = true)]
    pub location: Option<String>,
}

/// `flwr supernode unregister`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr supernode unregister 9296828773063911005 hospital")]
pub struct SupernodeUnregisterArgs {
    /// Its id, as `flwr supernode list` has it.
    #[arg(value_name = "NODE_ID", value_parser = node_id, allow_negative_numbers = true)]
    pub node: u64,
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
}

/// `flwr supernode list`
#[derive(Debug, Args)]
#[command(after_help = "\
With --verbose, those that were unregistered are listed too; --format json has them always.

Example:
  flwr supernode list hospital --format json | jq '[.nodes[] | select(.status == \"online\")] | length'")]
pub struct SupernodeListArgs {
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}
