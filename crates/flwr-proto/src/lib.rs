//! What the wire says: message types and gRPC services of flwr 1.20 to 1.22, generated from
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

/// What `flower-server-app` says, which is ours.
pub mod launch {
    tonic::include_proto!("flower.launch");
}
