//! Which wire is spoken at the other end. The only place that decides it.

mod control;
mod fleet;
mod launch;

pub use control::{ControlLine, Found, FoundControl, control};
pub use fleet::{Joining, NodeLine, joined, unjoined};
pub use launch::{RunWatch, launch};
