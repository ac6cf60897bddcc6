//! What the domain asks of a store of bytes. There are two kinds.
//!
//! A store by ids ([`ObjectBytes`]) keeps equal bytes once and counts who holds them: its count lives
//! in one process. A store by names gives each upload a name that is never used again. The state says
//! which name an object has, and a name that the state let go is [swept](BlobStore::sweep) later:
//! several processes can work with such a store.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_daemon::objects::{Error, Flawed, ObjectBytes};

use super::state::Blob;

/// Keeps the bytes of objects, or of FABs.
#[async_trait]
pub trait BlobStore: Debug + Send + Sync {
    /// Keeps bytes that have this id, for a run. Gives where they stand, for the state.
    async fn keep(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<Blob, Error>;

    /// The bytes of an object, verified. `None`: they are lost.
    async fn read(&self, id: &ObjectId, blob: &Blob) -> Result<Option<Bytes>, Error>;

    /// The first of these objects that is known not to be given any more. A store that others look
    /// after answers `None` without a look.
    async fn first_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error>;

    /// A run needs the object no more. A store by names waits until the name is swept.
    async fn let_go(&self, id: &ObjectId) -> Result<(), Error>;

    /// Deletes bytes that the state has refused to note.
    async fn discard(&self, id: &ObjectId, blob: &Blob) -> Result<(), Error>;

    /// Deletes bytes whose names the state let go. Bytes that are gone are no error.
    async fn sweep(&self, names: Vec<String>) -> Swept {
        Swept {
            gone: names,
            ..Swept::default()
        }
    }

    /// Names that earlier SuperLinks of this state used, in order, from after this name on. Empty:
    /// there are no more.
    async fn earlier_names(&self, _after: Option<String>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Deletes what earlier SuperLinks of this state began to write and did not finish, where the place
    /// does not do that by itself. Gives the number.
    async fn delete_unfinished(&self) -> Result<usize, Error> {
        Ok(0)
    }

    /// Does the deletions that a backup has postponed.
    async fn catch_up(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Writes something, and removes it again: an error says that nothing can be stored now.
    async fn probe(&self) -> Result<(), Error>;

    /// The total of all bytes that the state does not count.
    fn uncounted(&self) -> u64;
}

/// What became of names that were to be deleted.
#[derive(Debug, Default)]
pub struct Swept {
    /// Those whose bytes are not there any more.
    pub gone: Vec<String>,
    /// Those whose bytes could not be deleted.
    pub left: Vec<String>,
    /// Why the first of them could not be deleted.
    pub error: Option<Error>,
}

impl Swept {
    /// Notes a name whose bytes could not be deleted.
    pub fn failed(&mut self, name: &str, why: Error) {
        self.left.push(name.to_owned());
        self.error.get_or_insert(why);
    }

    /// # Errors
    /// If the bytes of a name could not be deleted.
    pub fn into_result(self) -> Result<(), Error> {
        self.error.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl<S: ObjectBytes> BlobStore for S {
    async fn keep(&self, _run: RunId, id: ObjectId, content: Bytes) -> Result<Blob, Error> {
        self.put(id, content).await?;
        Ok(Blob::OfId)
    }

    async fn read(&self, id: &ObjectId, _blob: &Blob) -> Result<Option<Bytes>, Error> {
        self.get(id).await
    }

    async fn first_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error> {
        self.find_flaw(ids).await
    }

    async fn let_go(&self, id: &ObjectId) -> Result<(), Error> {
        self.delete(id).await
    }

    async fn discard(&self, id: &ObjectId, _blob: &Blob) -> Result<(), Error> {
        self.delete(id).await
    }

    async fn catch_up(&self) -> Result<(), Error> {
        self.delete_postponed().await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.try_to_write().await
    }

    fn uncounted(&self) -> u64 {
        self.used()
    }
}
