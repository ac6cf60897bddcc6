//! Flags of SuperLinks of other releases of Flower. `config/older.rs` says what becomes of each.

use clap::{Args, ValueEnum};

/// Flags that change nothing here, or that are for what is not built.
#[derive(Debug, Default, Args)]
pub struct Other {
    /// Serve HTTP, which this SuperLink always does (flwr 1.33 and 1.34)
    #[arg(long, hide = true)]
    pub enable_http_api: bool,

    /// Serve no gRPC (flwr 1.33 and 1.34), which is not built: the SuperLink ends
    #[arg(long, hide = true)]
    pub disable_grpc_api: bool,

    /// How SuperNodes are served. Only gRPC and HTTP are, each where it is spoken
    #[arg(long, value_enum, hide = true)]
    pub fleet_api_type: Option<FleetType>,

    /// Processes of the old REST transport (until flwr 1.32), which is not built: changes nothing
    #[arg(long, value_name = "NUMBER", hide = true)]
    pub fleet_api_num_workers: Option<u32>,

    /// Run simulations, which is not built: pip's SuperLink takes over (`simulation.rs`), but from a file
    /// or a variable the SuperLink ends
    #[arg(long, hide = true)]
    pub simulation: bool,

    /// Where simulations connect to (until flwr 1.34): changes nothing
    #[arg(long, value_name = "HOST:PORT", hide = true)]
    pub simulationio_api_address: Option<String>,

    /// The executor of runs (until flwr 1.36): changes nothing
    #[arg(long, value_name = "MODULE:ATTRIBUTE", hide = true)]
    pub executor: Option<String>,

    /// The directory of the executor (until flwr 1.36): changes nothing
    #[arg(long, value_name = "DIR", hide = true)]
    pub executor_dir: Option<String>,

    /// What the executor reads (until flwr 1.36): changes nothing
    #[arg(long, value_name = "PAIRS", hide = true)]
    pub executor_config: Option<String>,
}

/// How SuperNodes were served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FleetType {
    /// By gRPC.
    GrpcRere,
    /// By gRPC, in messages of an envelope.
    GrpcAdapter,
    /// By HTTP, in a form of its own.
    Rest,
}
