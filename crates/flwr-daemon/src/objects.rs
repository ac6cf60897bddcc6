//! The bytes of content-addressed objects (and of app bundles): in memory or in files.
//!
//! Only bytes by id live here. Which object is announced, counted or over is for the caller to
//! know, as is the check that the bytes hash to the id.

mod files;
mod memory;

pub use files::{Files, Found, Restored, files_in, path_in};
pub use memory::Memory;

use std::fmt::Debug;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::object::ObjectId;

/// Keeps bytes under their id, and counts how often they are held: the same content may belong
/// to several runs, and one of them forgetting it while another stores it must not lose it.
#[async_trait]
pub trait ObjectBytes: Debug + Send + Sync {
    /// Keeps `content` under `id`, or holds it once more where it is there already.
    async fn put(&self, id: ObjectId, content: Bytes) -> Result<(), Error>;

    /// The bytes kept under `id`, if any.
    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, Error>;

    /// Undoes one `put`: the bytes go with the last. Nothing there is no error.
    async fn delete(&self, id: &ObjectId) -> Result<(), Error>;

    /// Bytes of everything that is kept.
    fn used(&self) -> u64;
}

/// Why bytes could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} `{path}`")]
pub struct Error {
    /// What was tried: "create", "write", "read", "use" or "delete".
    pub action: &'static str,
    /// The file or directory.
    pub path: String,
    /// What the system said.
    pub source: io::Error,
}
