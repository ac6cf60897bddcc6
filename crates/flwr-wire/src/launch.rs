//! Launch, for `flower-server-app`: runs whose ServerApp the caller starts.

pub mod call;
