//! Adapters: one per gRPC service. They decode, call, encode; no rule lives here.

mod clientappio;
mod status;

pub(crate) use clientappio::ClientAppIo;
