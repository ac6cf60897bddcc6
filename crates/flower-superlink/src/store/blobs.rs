//! Bytes under names, in a bucket or below a directory, for a state in PostgreSQL.
//!
//! ```text
//!   o/STATE-EPOCH/RUN/RANDOM     written once, by the start of a SuperLink that the name tells
//!   o/owner/STATE                the database that works with the names of the state
//!   objects/XX/ID  fabs/XX/ID    of a SuperLink of schema version 1, until their runs are over
//! ```
//!
//! A name is never used again, and the state says which name an object has: neither a count of holders
//! nor a conditional write is needed, and a deletion cannot meet bytes that came later. What a
//! SuperLink stored and did not note before it died has its epoch in the name.
//!
//! Small bytes go into the state itself. Bytes are verified when they are read from the store, and then
//! kept in memory for a while: a model that all nodes pull is read once.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_daemon::objects::{Error, Flaw, Flawed};
use parking_lot::Mutex;

use crate::link::blobs::{BlobStore, Swept};
use crate::link::state::{Blob, BlobName};

mod bucket;
mod cache;
mod claim;
mod files;
mod shelf;

pub use bucket::{Bucket, BucketError, BucketUrl};
pub(super) use claim::{Claim, owner_of};
pub(super) use shelf::Shelf;

use shelf::verified;

/// Bytes up to which an object stands in the state.
pub(super) const INLINE_MAX: usize = 32 << 10;
/// Where all names begin.
pub(super) const NAMES: &str = "o";

/// The start of a SuperLink. Its uploads begin with it.
#[derive(Debug, Clone)]
pub(super) struct Start {
    /// The state, by a name that no other has.
    pub(super) state: String,
    /// Numbers the starts with the state.
    pub(super) epoch: i64,
    /// Other starts.
    pub(super) beside: Beside,
}

/// Other starts with a state whose SuperLinks may be at work, or are known to be over.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside(Arc<Mutex<Starts>>);

#[derive(Debug, Default)]
struct Starts {
    /// Those that had begun before this one.
    alive: Vec<i64>,
    over: Vec<i64>,
}

impl Beside {
    /// The epochs of starts before this one that may not be over.
    pub(super) fn new(alive: Vec<i64>) -> Self {
        let over = Vec::new();
        Self(Arc::new(Mutex::new(Starts { alive, over })))
    }

    /// The start of this epoch is over: its SuperLink can note nothing any more.
    pub(super) fn is_over(&self, epoch: i64) {
        self.0.lock().over.push(epoch);
    }

    /// Whether the start of another epoch is over, seen from the start of this epoch.
    fn has_ended(&self, other: i64, this: i64) -> bool {
        let starts = self.0.lock();
        starts.over.contains(&other) || (other < this && !starts.alive.contains(&other))
    }

    /// The epochs of starts before this one that may not be over.
    #[cfg(test)]
    pub(super) fn alive(&self) -> Vec<i64> {
        self.0.lock().alive.clone()
    }
}

impl Start {
    /// Whether these are the uploads of another start with the same state that is over.
    fn is_after(&self, folder: &str) -> bool {
        let epoch = folder
            .rsplit_once('-')
            .filter(|(state, _)| *state == self.state);
        let epoch: Option<i64> = epoch.and_then(|(_, epoch)| epoch.parse().ok());
        epoch.is_some_and(|epoch| self.beside.has_ended(epoch, self.epoch))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.state, self.epoch)
    }
}

/// Where a SuperLink of schema version 1 has stored bytes. Nobody has noted their number.
pub(super) fn by_id(folder: &str, id: &ObjectId) -> BlobName {
    let text = id.to_string();
    let key = format!("{folder}/{}/{text}", &text[..2]);
    BlobName { key, size: 0 }
}

/// The objects, or the FABs, of a state.
#[derive(Debug)]
pub(super) struct NamedBlobs {
    shelf: Shelf,
    start: Start,
    /// Bytes up to which an object stands in the state.
    inline_max: usize,
    /// The folder with what a SuperLink of schema version 1 stored.
    of_ids: &'static str,
}

impl Shelf {
    /// The objects of a state.
    pub(super) fn objects(&self, start: &Start) -> NamedBlobs {
        NamedBlobs {
            shelf: self.clone(),
            start: start.clone(),
            inline_max: INLINE_MAX,
            of_ids: super::OBJECTS,
        }
    }

    /// The FABs of a state. All of them have names: a FAB stays when its run begins again.
    pub(super) fn fabs(&self, start: &Start) -> NamedBlobs {
        NamedBlobs {
            inline_max: 0,
            of_ids: super::FABS,
            ..self.objects(start)
        }
    }
}

impl Bucket {
    /// Puts a probe, reads it and deletes it.
    ///
    /// # Errors
    /// If one of them cannot be done.
    pub async fn try_all(&self) -> Result<(), BucketError> {
        let shelf = Shelf::new(self.store()?, &self.url.place(), 0).in_bucket();
        Ok(shelf.try_all("check").await?)
    }
}

#[async_trait]
impl BlobStore for NamedBlobs {
    async fn keep(&self, run: RunId, _id: ObjectId, content: Bytes) -> Result<Blob, Error> {
        if content.len() <= self.inline_max {
            return Ok(Blob::Inline(content));
        }
        let random = rand::random::<u128>();
        let key = format!("{NAMES}/{}/{run}/{random:032x}", self.start);
        let size = content.len() as u64;
        self.shelf.put(&key, content.clone()).await?;
        // Its nodes pull it now.
        self.shelf.cache.keep(key.clone(), content);
        Ok(Blob::Named(BlobName { key, size }))
    }

    async fn read(&self, id: &ObjectId, blob: &Blob) -> Result<Option<Bytes>, Error> {
        let found = match blob {
            Blob::Inline(bytes) => return verified(*id, bytes.clone()).await.map(Some),
            Blob::Named(name) => self.shelf.get(id, name).await,
            Blob::OfId => self.shelf.get(id, &by_id(self.of_ids, id)).await,
        };
        match found {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Flawed(Flawed {
                flaw: Flaw::Lost, ..
            })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn first_flaw(&self, _ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error> {
        Ok(None)
    }

    async fn let_go(&self, _id: &ObjectId) -> Result<(), Error> {
        Ok(())
    }

    async fn discard(&self, _id: &ObjectId, blob: &Blob) -> Result<(), Error> {
        match blob {
            Blob::Named(name) => {
                let deleted = self.shelf.delete(vec![name.key.clone()]).await;
                deleted.into_result()
            }
            Blob::OfId | Blob::Inline(_) => Ok(()),
        }
    }

    async fn sweep(&self, names: Vec<String>) -> Swept {
        self.shelf.delete(names).await
    }

    async fn earlier_names(&self, after: Option<String>) -> Result<Vec<String>, Error> {
        for folder in self.shelf.folders().await? {
            let start = folder.rsplit('/').next().unwrap_or_default();
            // What begins with the folder of `after` is done up to `after`.
            let is_done = after
                .as_ref()
                .is_some_and(|after| !after.starts_with(&format!("{folder}/")) && *after > folder);
            if is_done || !self.start.is_after(start) {
                continue;
            }
            let names = self.shelf.list(&folder, after.as_deref()).await?;
            if !names.is_empty() {
                return Ok(names.into_iter().map(|name| name.key).collect());
            }
        }
        Ok(Vec::new())
    }

    async fn delete_unfinished(&self) -> Result<usize, Error> {
        let own = self.start.clone();
        let is_earlier = move |start: &str| own.is_after(start);
        let files = self.shelf.unfinished(is_earlier.clone()).await?;
        let number = files.len();
        self.shelf.remove(files).await?;
        self.shelf.remove_empty(is_earlier).await?;
        Ok(number)
    }

    async fn probe(&self) -> Result<(), Error> {
        match self.shelf.directory() {
            Some(_) => self.shelf.try_all(&self.start.to_string()).await,
            None => Ok(()),
        }
    }

    fn uncounted(&self) -> u64 {
        0
    }
}

#[cfg(test)]
pub(super) mod tests;
