//! What the commands share: builds, daemons, Python environments and other tools.

pub(crate) mod build;
pub(crate) mod daemon;
pub(crate) mod python;
pub(crate) mod tools;
