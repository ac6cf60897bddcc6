//! The SuperNode daemon: takes messages from a SuperLink and runs the app's ClientApp for each.
//!
//! ```text
//!   SuperLink ◀──Fleet── link ──▶ work (inbox → desk → outbox) ◀── api/clientappio ◀── ClientApp
//!                                    ├──▶ launcher ─── starts ──────────────────────────┘
//!                                    └──▶ store: what outlives this process
//! ```

mod api;
pub mod args;
pub mod checkup;
pub mod config;
mod error;
mod launcher;
mod link;
pub mod program;
mod store;
mod supernode;
mod work;

pub use error::Error;
pub use supernode::SuperNode;
