//! The programs together, as people use them: one module for each thing that can be wanted or go
//! wrong. `cargo xtask test -p e2e` runs them; the harness is in `tests/src`.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start peers that end with the test, and wait with deadlines"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: clippy excuses only the tests themselves"
)]

mod accounts;
mod alike;
mod backup;
mod certificates;
mod channel;
mod churn;
mod cli;
mod cluster;
mod commands;
mod damage;
mod doctor;
mod documented;
mod durable;
mod errors;
mod faults;
mod flags;
mod flwrd;
mod guides;
mod hosts;
mod imports;
mod interop;
mod isolation;
mod issued;
mod join;
mod later;
mod lines;
mod local;
mod login;
mod metrics;
mod moved;
mod mutual;
mod networks;
mod newest;
mod no_proxy;
mod older;
mod orders;
mod outputs;
mod over_http;
mod postgres;
mod processes;
mod programs;
mod proxies;
mod refusals;
mod renewal;
mod replaced;
mod restarts;
mod run;
mod runtimes;
mod scripts;
mod service;
mod sessions;
mod several;
mod situations;
mod states;
mod templates;
mod tls;
mod upkeep;
