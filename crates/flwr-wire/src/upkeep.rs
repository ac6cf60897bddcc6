//! Upkeep, for `flwr run delete` and `flwr status`: what is kept, and how it goes.

pub(crate) mod call;
