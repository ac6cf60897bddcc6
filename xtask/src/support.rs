//! What the commands share: builds, daemons, Python environments and other tools.

pub(crate) mod build;
pub(crate) mod daemon;
#[path = "../../crates/flwr-core/src/flower.rs"]
#[expect(dead_code, unreachable_pub, reason = "a file of a library")]
pub(crate) mod flower;
pub(crate) mod python;
pub(crate) mod tools;
