//! The doors of the ports: from the head of a request to the one generation and method that the
//! request is of.

mod fleet;
mod runtime;

pub use fleet::FleetDoor;
pub use runtime::{ClientAppIo, Driver, RuntimeDoor, ServerAppIo};
