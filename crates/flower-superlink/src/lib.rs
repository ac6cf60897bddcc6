//! The coordinator of a federation: `flower-superlink`.
//!
//! SuperNodes come in by Fleet, ServerApp processes by ServerAppIo, people by Control. What they
//! do to each other is in [`link`]; [`superlink`] is the only place where the parts meet.

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        reason = "tests start peers that end with the test, and wait with deadlines"
    )
)]

pub mod accounts;
pub mod args;
pub mod auth;
pub mod checkup;
pub mod cluster;
pub mod config;
pub mod error;
pub mod host;
#[cfg(test)]
mod in_time;
pub mod launcher;
pub mod link;
mod machine;
mod metrics;
pub mod reaper;
pub mod saving;
pub mod simulation;
pub mod store;
pub mod superlink;

pub use superlink::SuperLink;
