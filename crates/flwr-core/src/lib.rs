//! What the words mean: ids, messages, objects, runs, app bundles and configuration, as flwr
//! 1.20 to 1.22 define them. Every wire type that carries a rule becomes a checked type here, once.
//! There is no I/O here, and only [`monotonic`] reads a clock.

pub mod address;
pub mod cause;
pub mod checkup;
pub mod config;
pub mod context;
pub mod fab;
pub mod flower;
pub mod home;
pub mod id;
pub mod message;
pub mod monotonic;
pub mod object;
pub mod port;
pub mod printable;
pub mod project;
pub mod proxy;
pub mod quiet;
pub mod record;
pub mod refusal;
pub mod run;
pub mod size;
pub mod task;
pub mod time;
pub mod tomlw;
