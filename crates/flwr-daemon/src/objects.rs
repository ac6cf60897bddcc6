//! The bytes of content-addressed objects (and of app bundles): in memory or in files.
//!
//! This room knows bytes by id and nothing else. The caller of `put` checks that bytes hash to their
//! id, and knows which objects are needed. Every read from a disk verifies the bytes again.

mod files;
mod memory;

pub use files::{Files, Found, Pause, Paused, Restored, files_in, path_in};
pub use memory::Memory;

use std::fmt::{self, Debug};
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

    /// The bytes stored under `id`, if any, verified.
    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, Error>;

    /// The first of these objects that cannot be given any more. An object whose file has not
    /// changed since its last verification is not read.
    async fn find_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error>;

    /// Writes something, and removes it again: an error says that nothing can be stored now.
    async fn try_to_write(&self) -> Result<(), Error>;

    /// Removes a holder, and with the last holder the bytes. Missing bytes are no error. While a
    /// copy is made of the bytes, the deletion is postponed.
    async fn delete(&self, id: &ObjectId) -> Result<(), Error>;

    /// Does the deletions that were postponed, if they are possible now.
    async fn delete_postponed(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The total of all stored bytes.
    fn used(&self) -> u64;
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses. The same may succeed later: a disk is full, or away.
    #[error("could not {action} `{path}`")]
    Failed {
        /// The failed action: "create", "write", "read" or "delete".
        action: &'static str,
        /// The file or directory.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are gone for good.
    #[error("{0}")]
    Flawed(Flawed),
}

/// An object that cannot be given any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flawed {
    /// The object.
    pub id: ObjectId,
    /// What is wrong with its bytes.
    pub flaw: Flaw,
}

/// What is wrong with stored bytes. To ask again is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The file is not there.
    Lost,
    /// The file has another content than its name says.
    Damaged,
}

impl fmt::Display for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, flaw } = self;
        match flaw {
            Flaw::Lost => write!(f, "object {id} is lost: its bytes are not in the storage"),
            Flaw::Damaged => write!(
                f,
                "object {id} is damaged: the storage has other bytes than were stored"
            ),
        }
    }
}
