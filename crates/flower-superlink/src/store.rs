//! Backends of [`LinkState`](crate::link::state::LinkState), and the battery of tests that each
//! must pass.

#[cfg(test)]
mod battery;
mod memory;

pub use memory::MemoryState;
