//! How a daemon lives: all I/O that the SuperLink and the SuperNode share.
//!
//! - [`listen`] — sockets, TLS, limits and drain
//! - [`stop`] — signals and the order to stop
//! - [`telemetry`] — logs
//! - [`health`] — gRPC health checks
//! - [`clock`] — the time, as a value that tests can set
//! - [`completion`] — calls that are served to their end
//! - [`apps`] — app processes and their tokens
//! - [`appio`] — who may call the API of app processes
//! - [`answer`] — what a command prints
//! - [`checkup`] — what daemons look at before they start
//! - [`console`] — stdout and stderr, which no slow reader holds up
//! - [`config_file`] — flags from a file and from variables
//! - [`limits`] — what the system allows a process
//! - [`metrics`] — what a daemon tells of itself in numbers, and whether it is ready
//! - [`objects`] — the bytes of content-addressed objects, in memory or in files
//! - [`table`] — the content of a JSON or TOML file
//! - [`task`] — tasks with an owner
//! - [`renew`] — certificates, keys and lists that change while a daemon runs
//! - [`service`] — notifications to systemd

#![cfg_attr(
    test,
    expect(
        clippy::disallowed_methods,
        reason = "tests start peers that end with the test, and wait with deadlines"
    )
)]

pub mod answer;
pub mod appio;
pub mod apps;
pub mod checkup;
pub mod clock;
pub mod completion;
pub mod config_file;
pub mod console;
pub mod health;
pub mod limits;
pub mod listen;
pub mod metrics;
pub mod network;
pub mod objects;
pub mod renew;
pub mod service;
pub mod stop;
pub mod table;
pub mod task;
pub mod telemetry;
