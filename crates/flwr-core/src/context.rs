//! The Context of an app: what it keeps between calls, and its configuration. Kept on disk as the
//! bytes of its message (flwr 1.20 wire).

pub use flwr_proto::Context;
