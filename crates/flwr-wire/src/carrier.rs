//! Carriers: how calls and answers are framed. Today gRPC carries every release.

pub mod grpc;
mod patience;

/// Bytes of one message at most, as flwr 1.22 peers allow: a gRPC limit of 2 GiB - 1.
pub const MAX_MESSAGE_BYTES: usize = i32::MAX as usize;
