//! The gRPC adapters, one for each service: decode, call the domain, encode. No rule lives here.

mod control;
mod launch;
mod principal;
mod upkeep;

pub use control::{ControlApi, Exec};
pub use launch::LaunchApi;
pub use upkeep::UpkeepApi;

/// Bytes of one message to Control: a FAB of 10 MiB, and room for its configuration. Anybody may
/// call there, so nobody may make the SuperLink hold more.
pub const MAX_CONTROL_BYTES: usize = flwr_core::fab::MAX_BYTES + (1 << 20);
