//! What the wire says: message types and gRPC services of flwr 1.20 to 1.39, generated from
//! `proto/`. No logic lives here; `flwr-core` gives the words their meaning.

// The wire's names are its own: what they mean is told in the .proto files, not per field.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    missing_debug_implementations
)]
#![allow(clippy::all, clippy::pedantic, clippy::use_self)]

tonic::include_proto!("flwr.proto");

/// Bytes of one message at most, as peers of flwr 1.20 to 1.22 allow: a gRPC limit of 2 GiB - 1.
pub const MAX_MESSAGE_BYTES: usize = i32::MAX as usize;

/// What `flower-server-app` says, which is ours.
pub mod launch {
    tonic::include_proto!("flower.launch");
}

/// How SuperNodes join with a token, which is ours.
pub mod join {
    tonic::include_proto!("flower.join");
}

/// What a federation keeps and how it is deleted, which is ours.
pub mod upkeep {
    tonic::include_proto!("flower.upkeep");
}

/// What flwr 1.8 to 1.18 say alike, and later releases otherwise.
pub mod shared {
    tonic::include_proto!("shared");
}

/// flwr 1.15 to 1.18: messages with their content in them.
pub mod v1_15 {
    tonic::include_proto!("v1_15");
}

/// flwr 1.24 to 1.29: what these releases lay out in a way of their own.
pub mod v1_24 {
    tonic::include_proto!("v1_24");
}

/// flwr 1.30 to 1.42: app processes as tasks.
pub mod v1_30 {
    tonic::include_proto!("v1_30");
}

/// flwr 1.43: how ServerApps ask for replies.
pub mod v1_43 {
    tonic::include_proto!("v1_43");
}

/// flwr 1.23 to 1.26: what these releases lay out on Control in ways of their own.
pub mod v1_10 {
    tonic::include_proto!("v1_10");
}

/// flwr 1.8 to 1.14: messages as tasks.
pub mod v1_08 {
    tonic::include_proto!("v1_08");
}

/// Where the modules above look for the package `flwr.proto`.
#[doc(hidden)]
pub mod flwr {
    pub mod proto {
        pub use crate::*;
    }
}
