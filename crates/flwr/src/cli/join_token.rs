//! The arguments of `flwr supernode join-token`.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Subcommand};
use flwr_core::address::Address;

use super::link::SuperLinkArgs;
use super::value::whole;
use super::{Cli, Format};

/// `flwr supernode join-token`
#[derive(Debug, Subcommand)]
pub enum JoinTokenCommand {
    /// Make a token, and print the command by which a SuperNode joins with it.
    New(JoinTokenNewArgs),
    /// List the tokens, with the SuperNodes that joined.
    #[command(visible_alias = "ls")]
    List(JoinTokenListArgs),
    /// Revoke a token: nobody joins with it any more. SuperNodes that have joined stay.
    Revoke(JoinTokenRevokeArgs),
}

impl JoinTokenCommand {
    /// The format of the answer.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::New(args) => args.at.format,
            Self::List(args) => args.at.format,
            Self::Revoke(args) => args.at.format,
        }
    }

    /// Checks what the types of the arguments leave open.
    ///
    /// # Errors
    /// If several SuperNodes would have one name.
    pub(super) fn checked(&self) -> Result<(), clap::Error> {
        match self {
            Self::New(args) if args.uses > 1 && args.name.is_some() => {
                let text = "--name is for a token of one use: with --uses several SuperNodes would have the same name";
                Err(Cli::command().error(ErrorKind::ArgumentConflict, text))
            }
            _ => Ok(()),
        }
    }
}

/// `flwr supernode join-token new`
#[derive(Debug, Args)]
#[command(after_help = "\
Whoever has the token can join a SuperNode: give it to the data owner only. The SuperLink runs with
TLS and --enable-supernode-auth, and keeps a hash of the token only.

Examples:
  flwr supernode join-token new --name ward-7
  flwr supernode join-token new hospital --uses 5 --ttl 1d
  flwr supernode join-token new --address superlink.example:9092 --format json | jq -r .token")]
pub struct JoinTokenNewArgs {
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
    /// Where the SuperNode finds the SuperLink; the host of the federation's `address` and the port for
    /// SuperNodes if absent.
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<Address>,
    /// What to call the SuperNode.
    #[arg(long)]
    pub name: Option<String>,
    /// How long SuperNodes may join with the token, 1s to 30d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ttl)]
    pub ttl: Duration,
    /// How many SuperNodes may join with the token.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = whole(1..=10_000), allow_negative_numbers = true)]
    pub uses: u32,
}

/// `flwr supernode join-token list`
#[derive(Debug, Args)]
#[command(after_help = "\
Tokens that are over are listed for 30 days.

Example:
  flwr supernode join-token list hospital --format json | jq -r '.tokens[].\"token-id\"'")]
pub struct JoinTokenListArgs {
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
}

/// `flwr supernode join-token revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr supernode join-token revoke 5a0c1b9e2f3d4c77 hospital")]
pub struct JoinTokenRevokeArgs {
    /// The token's id, as `flwr supernode join-token list` has it.
    #[arg(value_name = "TOKEN_ID")]
    pub id: String,
    /// Where.
    #[command(flatten)]
    pub at: SuperLinkArgs,
}

/// Parses a time in whole seconds.
fn ttl(text: &str) -> Result<Duration, String> {
    let expected = "expected a time from 1s to 30d, such as 30m, 12h or 7d";
    let time = humantime::parse_duration(text).ok();
    let time = time.filter(|time| time.subsec_nanos() == 0);
    let most = Duration::from_secs(30 * 86_400);
    time.filter(|time| (Duration::from_secs(1)..=most).contains(time))
        .ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_whole_seconds_within_bounds() {
        for (text, seconds) in [
            ("1s", 1),
            ("30m", 1_800),
            ("1h 30m", 5_400),
            ("30d", 2_592_000),
        ] {
            assert_eq!(ttl(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0s", "1500ms", "31d", "10", "-1h", "soon"] {
            assert!(ttl(text).is_err(), "{text}");
        }
    }
}
