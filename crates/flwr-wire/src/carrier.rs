//! Carriers: how calls and answers are framed. Today gRPC carries every release.

pub mod grpc;
mod patience;
