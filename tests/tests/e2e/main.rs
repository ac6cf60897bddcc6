//! The programs together, as people use them: one module for each thing that can be wanted or go
//! wrong. `cargo xtask test -p e2e` runs them; the harness is in `tests/src`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: clippy excuses only the tests themselves"
)]

mod accounts;
mod cli;
mod durable;
mod errors;
mod faults;
mod interop;
mod isolation;
mod issued;
mod local;
mod login;
mod mutual;
mod older;
mod processes;
mod proxies;
mod refusals;
mod renewal;
mod restarts;
mod run;
mod scripts;
mod service;
mod situations;
mod tls;
