//! Which wire is spoken at the other end. The only place that decides it.

mod control;

pub use control::{ControlLine, Found, FoundControl, control};
