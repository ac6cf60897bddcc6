//! What is measured, and against whom.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Load for a SuperLink: virtual SuperNodes and a virtual ServerApp.
#[derive(Debug, Parser)]
#[command(name = "flwr-bench", max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A SuperLink with TLS and `--isolation process`.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Port of the SuperLink's Fleet API on this machine. Of several, each SuperNode takes the next.
    #[arg(long, value_name = "PORT", required = true)]
    pub(crate) fleet: Vec<u16>,
    /// Port of its Control API.
    #[arg(long, value_name = "PORT")]
    pub(crate) control: u16,
    /// Port of its ServerAppIo API.
    #[arg(long, value_name = "PORT")]
    pub(crate) serverappio: u16,
    /// Certificates to trust.
    #[arg(long, value_name = "FILE")]
    pub(crate) root_certificates: PathBuf,
    /// Folder of the SuperNodes' private keys, as `flwr key new` makes them.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: PathBuf,
    /// Which signatures the SuperNodes' requests have.
    #[arg(long, value_enum, default_value_t = Signatures::Single)]
    pub(crate) signatures: Signatures,
}

/// How often a SuperNode signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signatures {
    /// Each request has a signature of its own, as those of pip's SuperNodes.
    Single,
    /// One signature serves for two minutes, as with our SuperNode.
    Reused,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Nodes that ask for messages, one call after the other, when there are none.
    Polls(PollArgs),
    /// Rounds: a message with a model for each node, and its reply with another.
    Broker(BrokerArgs),
    /// Many nodes that wait for messages and say that they live. Reads commands from stdin:
    /// `broadcast`, `counts`, `settle` and `quit`.
    Crowd(CrowdArgs),
    /// Many nodes that ask at once for messages that are there.
    Claims(CrowdArgs),
    /// Messages for a node that waits, one after the other: how long after a message was stored the node
    /// has the message.
    Wakes(WakeArgs),
    /// Passes connections on to the Fleet APIs in turn, until the process is killed.
    Balance,
    /// A small message and its reply, again and again, until stdin ends. A line on stdin has the slowest
    /// calls told.
    Calls(CallsArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PollArgs {
    #[arg(long, default_value_t = 16)]
    pub(crate) nodes: usize,
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BrokerArgs {
    /// The FAB that the run is started with; nothing of it is executed.
    #[arg(long, value_name = "FILE")]
    pub(crate) fab: PathBuf,
    #[arg(long, default_value_t = 50)]
    pub(crate) nodes: usize,
    /// Bytes of each message's array.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) bytes: usize,
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CrowdArgs {
    /// The FAB that runs are started with; nothing of it is executed.
    #[arg(long, value_name = "FILE")]
    pub(crate) fab: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    pub(crate) nodes: usize,
    /// Registrations under way at the same time.
    #[arg(long, default_value_t = 64)]
    pub(crate) at_once: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WakeArgs {
    /// The FAB that runs are started with; nothing of it is executed.
    #[arg(long, value_name = "FILE")]
    pub(crate) fab: PathBuf,
    #[arg(long, default_value_t = 500)]
    pub(crate) messages: usize,
    /// The node waits up to so long before each message.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub(crate) pause: f64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CallsArgs {
    /// The FAB that runs are started with; nothing of it is executed.
    #[arg(long, value_name = "FILE")]
    pub(crate) fab: PathBuf,
    /// Which of the keys the node has, counted from 1.
    #[arg(long, default_value_t = 1)]
    pub(crate) key: usize,
    /// The size that the SuperLink's state is brought to before.
    #[arg(long, value_name = "MB", default_value_t = 0)]
    pub(crate) state_mb: usize,
}
