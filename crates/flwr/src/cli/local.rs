//! The arguments of `flwr up`, `flwr down` and `flwr status`.

use clap::Args;

use super::Format;
use super::value::whole;

/// `flwr up`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr up                        two SuperNodes; their log is shown, and Ctrl-C stops all
  flwr up --detach               in the background: `flwr status` tells of it, `flwr down` stops it
  flwr up --supernodes 10        each has partition-id and num-partitions in its node config

While it is up, `flwr run` takes apps that name no federation to it, and others as
`flwr run path/to/app local`. Certificates, keys and state are in `local` in Flower's home.
Apps run with the Python on PATH that has Flower; where there is none, it is installed there too.")]
pub struct UpArgs {
    /// How many SuperNodes.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = whole(1..=1000), allow_negative_numbers = true)]
    pub supernodes: u32,
    /// Leave it running in the background.
    #[arg(long, short = 'd')]
    pub detach: bool,
    /// Bring the Flower package that `flwr up` installed for apps to the release that a new
    /// installation gets; else it stays as it is.
    #[arg(long, conflicts_with = "in_background")]
    pub renew: bool,
    /// What --detach starts.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub in_background: bool,
}

/// `flwr down`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr down                        its runs stay listed when it is up again
  flwr down --clean                as if it had never been")]
pub struct DownArgs {
    /// Delete its runs, certificates and keys too.
    #[arg(long)]
    pub clean: bool,
}

/// `flwr status`
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 it is up and all SuperNodes are online, 1 it is not.")]
pub struct StatusArgs {
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}
