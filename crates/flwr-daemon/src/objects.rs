//! The bytes of content-addressed objects (and of app bundles): in memory or in files.
//!
//! This room knows bytes by id and nothing else. The caller checks that bytes hash to their id, and
//! knows which objects are needed.

mod files;
mod memory;

pub use files::{Files, Found, Restored, files_in, path_in};
pub use memory::Memory;

use std::fmt::Debug;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::object::ObjectId;

/// Stores bytes under their id, with a count of holders. Several runs may have the same content:
/// the bytes stay until the last run has let them go.
#[async_trait]
pub trait ObjectBytes: Debug + Send + Sync {
    /// Stores `content` under `id`, or adds a holder if the bytes are stored already.
    async fn put(&self, id: ObjectId, content: Bytes) -> Result<(), Error>;

    /// The bytes stored under `id`, if any.
    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, Error>;

    /// Removes a holder, and with the last holder the bytes. Missing bytes are no error.
    async fn delete(&self, id: &ObjectId) -> Result<(), Error>;

    /// The total of all stored bytes.
    fn used(&self) -> u64;
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} `{path}`")]
pub struct Error {
    /// The failed action: "create", "write", "read", "use" or "delete".
    pub action: &'static str,
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}
