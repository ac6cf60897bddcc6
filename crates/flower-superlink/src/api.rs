//! The gRPC adapters, one for each service: decode, call the domain, encode. No rule lives here.

mod control;
mod decode;
mod fleet;
mod serverappio;
mod status;

pub use control::{ControlApi, Exec};
pub use fleet::FleetApi;
pub use serverappio::ServerAppIoApi;

/// Bytes of one message on the wire, as flwr 1.22 peers allow: a gRPC limit of 2 GiB - 1.
pub const MAX_MESSAGE_BYTES: usize = i32::MAX as usize;
/// Bytes of one message to Control: a FAB of 10 MiB, and room for its configuration. Anybody may
/// call there, so nobody may make the SuperLink hold more.
pub const MAX_CONTROL_BYTES: usize = flwr_core::fab::MAX_BYTES + (1 << 20);
