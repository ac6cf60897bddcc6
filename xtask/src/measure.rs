//! Commands that measure: `bench` (time, throughput and memory) and `soak` (growth over many runs).

pub(crate) mod bench;
pub(crate) mod soak;
