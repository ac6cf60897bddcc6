//! The SuperNode daemon: takes messages from a SuperLink and runs the app's ClientApp for each.
//!
//! ```text
//!   SuperLink ◀─Fleet─ upstream ◀── work (inbox → desk → outbox) ◀── host ◀── door ◀── ClientApp
//!                                    ├──▶ launcher ─── starts ─────────────────────────────┘
//!                                    └──▶ store: what outlives this process
//! ```

pub mod args;
pub mod checkup;
pub mod client_app;
pub mod config;
pub mod enrolment;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod launcher;
mod metrics;
pub mod program;
mod store;
mod supernode;
mod upstream;
mod work;

pub use error::Error;
pub use supernode::SuperNode;
