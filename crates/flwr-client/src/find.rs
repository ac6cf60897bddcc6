//! Which wire is spoken at the other end. The only place that decides it.

mod control;
mod launch;

pub use control::{ControlLine, Found, FoundControl, control};
pub use launch::{RunWatch, launch};
