//! The harness of the end-to-end tests: starts the real programs, ours and Python's, on loopback
//! with free ports, real certificates and real keys, and looks at what they do.
//!
//! A [`Federation`] is a SuperLink and its SuperNodes. Everything it starts ends with it, and what
//! it wrote is kept when the test fails. `cargo xtask test` builds the programs and prepares the
//! Python environments that the harness looks for.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start peers that end with the test, and wait with deadlines"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness has nobody to report to: it fails the test, saying where"
)]

pub mod app;
pub mod connect_proxy;
pub mod document;
pub mod federation;
pub mod flwr;
pub mod forwarder;
pub mod keys;
pub mod launcher;
pub mod leftovers;
pub mod machine;
pub mod oidc;
pub mod pki;
pub mod ports;
pub mod process;
pub mod program;
pub mod proxy;
pub mod scratch;
pub mod terminal;
pub mod tools;
pub mod until;

pub use app::App;
pub use document::Document;
pub use federation::{Federation, Isolation, Plan, Security};
pub use flwr::{Flwr, Outcome};
pub use launcher::Launcher;
pub use machine::Machine;
pub use process::Process;
pub use program::{Maker, Release};
pub use scratch::Scratch;
pub use terminal::at_terminal;
pub use until::{until, until_there, until_within};

use std::time::Duration;

/// Runs what a test itself asks of a server.
///
/// # Panics
/// If the machine has no room for another runtime.
#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread")
}

/// How long anything may take that should take seconds: CI machines are slow, and Python starts
/// with every app.
pub const PATIENCE: Duration = Duration::from_secs(90);
