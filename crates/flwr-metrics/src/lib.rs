//! What a daemon tells of itself in numbers. Whoever owns a state keeps its counters, and a registry
//! names them for the page that Prometheus reads.
//!
//! Labels are closed sets: a label is a [`Word`], which lives as long as the program. Bytes of a peer
//! never become a label, and no id of a run or a node does.

mod calls;
mod process;
mod tally;
mod text;

pub use calls::{Calls, OTHER, held};
pub use process::Process;
pub use tally::{Amount, Count, Entered, Levels, Moment, Seconds, Tally, Times, Word};
pub use text::{Form, encode};

/// The families of a program, each with its name and what is read from it.
pub use prometheus_client::registry::Registry;
