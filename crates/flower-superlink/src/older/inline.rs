//! flwr 1.15 to 1.18: messages with their content in them. What such a peer pushes is made objects
//! of, and what it pulls is put together from them: peers of today and it understand each other.

pub(super) mod fleet;
pub(super) mod records;
pub(super) mod serverapp;
