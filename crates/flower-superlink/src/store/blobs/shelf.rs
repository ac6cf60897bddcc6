//! A store of names, in a bucket or below a directory: how bytes come and go.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flwr_core::object::ObjectId;
use flwr_daemon::objects::{Error, Flaw, Flawed};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::ROOT;
use super::cache::Cache;
use crate::link::state::BlobName;

/// Bytes up to which an object is one request.
pub(super) const ONE_REQUEST: usize = 16 << 20;
/// Bytes of a part of a larger one, and parts under way at the same time.
pub(super) const PART: usize = 8 << 20;
const PARTS: usize = 4;
/// Uploads under way at the same time. Later ones wait for a place.
const UPLOADS: usize = 64;
/// Bytes from which on hashing is moved off the async workers: about a millisecond's work.
const HASH_INLINE_MAX: usize = 256 << 10;
/// Names that are listed at once.
const NAMES: usize = 1000;

/// A place for bytes under names.
#[derive(Debug, Clone)]
pub(in crate::store) struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// What people call the place.
    place: Arc<str>,
    uploads: Arc<Semaphore>,
    pub(super) cache: Arc<Cache>,
    /// A disk may be full, which a health check finds by writing something. A directory is not
    /// listed in the order of names.
    pub(super) is_directory: bool,
}

impl Shelf {
    /// A shelf over a store, with so many bytes of memory for what was read.
    pub(in crate::store) fn new(store: Arc<dyn ObjectStore>, place: &str, cache: u64) -> Self {
        Self {
            store,
            place: place.into(),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            cache: Arc::new(Cache::new(cache)),
            is_directory: false,
        }
    }

    /// The same over a directory.
    pub(in crate::store) fn over_directory(self) -> Self {
        Self {
            is_directory: true,
            ..self
        }
    }

    fn failed(&self, action: &'static str, name: &str, error: object_store::Error) -> Error {
        Error::Failed {
            action,
            path: format!("{}/{name}", self.place),
            source: io::Error::other(error),
        }
    }

    fn path(&self, action: &'static str, name: &str) -> Result<Path, Error> {
        let path = Path::parse(name).map_err(object_store::Error::from);
        path.map_err(|error| self.failed(action, name, error))
    }

    /// Stores bytes under a new name.
    pub(super) async fn put(&self, name: &str, content: Bytes) -> Result<(), Error> {
        let path = self.path("write", name)?;
        // It is never closed.
        let _place = self.uploads.acquire().await.ok();
        let stored = match content.len() <= ONE_REQUEST {
            true => self.store.put(&path, content.into()).await.map(drop),
            false => self.put_in_parts(&path, &content).await,
        };
        stored.map_err(|error| self.failed("write", name, error))
    }

    async fn put_in_parts(&self, path: &Path, content: &Bytes) -> object_store::Result<()> {
        let mut upload = self.store.put_multipart(path).await?;
        let starts = (0..content.len()).step_by(PART);
        let parts = starts.map(|start| content.slice(start..content.len().min(start + PART)));
        let sending = parts.map(|part| upload.put_part(part.into()));
        let sent = stream::iter(sending).buffer_unordered(PARTS);
        let sent: object_store::Result<()> = sent.try_collect().await;
        let done = match sent {
            Ok(()) => upload.complete().await.map(drop),
            Err(error) => Err(error),
        };
        if done.is_err() {
            // Best effort: the bucket's lifecycle rule removes parts otherwise.
            let _ = upload.abort().await;
        }
        done
    }

    /// The verified bytes of a name.
    pub(super) async fn get(&self, id: &ObjectId, name: &BlobName) -> Result<Bytes, Error> {
        let read = async {
            let content = self.fetch(id, name).await?;
            verified(*id, content).await
        };
        self.cache.get(&name.key, read).await
    }

    pub(super) async fn fetch(&self, id: &ObjectId, name: &BlobName) -> Result<Bytes, Error> {
        let path = self.path("read", &name.key)?;
        let found = match usize::try_from(name.size) {
            Ok(size) if size > ONE_REQUEST => self.get_in_parts(&path, size).await,
            _ => match self.store.get(&path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            },
        };
        match found {
            Ok(content) => Ok(content),
            Err(object_store::Error::NotFound { .. }) => {
                let (id, flaw) = (*id, Flaw::Lost);
                Err(Error::Flawed(Flawed { id, flaw }))
            }
            Err(error) => Err(self.failed("read", &name.key, error)),
        }
    }

    /// Reads and verifies the bytes of a name, whatever is in memory.
    pub(in crate::store) async fn verify(
        &self,
        id: &ObjectId,
        name: &BlobName,
    ) -> Result<(), Error> {
        verified(*id, self.fetch(id, name).await?).await.map(drop)
    }

    /// What people call the place.
    pub(in crate::store) fn place(&self) -> &str {
        &self.place
    }

    async fn get_in_parts(&self, path: &Path, size: usize) -> object_store::Result<Bytes> {
        let part = |start: usize| {
            let range = start as u64..size.min(start + PART) as u64;
            async move { self.store.get_range(path, range).await }
        };
        let parts = stream::iter((0..size).step_by(PART)).map(part);
        let mut content = BytesMut::with_capacity(size);
        let mut parts = parts.buffered(PARTS);
        while let Some(part) = parts.try_next().await? {
            content.extend_from_slice(&part);
        }
        Ok(content.freeze())
    }

    /// Deletes the bytes of these names. Those that are gone are no error.
    pub(in crate::store) async fn delete(&self, names: Vec<String>) -> Result<(), Error> {
        let first = names.first().cloned().unwrap_or_default();
        let mut paths = Vec::with_capacity(names.len());
        for name in &names {
            self.cache.forget(name);
            paths.push(Ok(self.path("delete", name)?));
        }
        let mut deleted = self.store.delete_stream(stream::iter(paths).boxed());
        while let Some(outcome) = deleted.next().await {
            match outcome {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed("delete", &first, error)),
            }
        }
        Ok(())
    }

    /// Names of a folder with their sizes, in order, from after this name on: one page of a bucket, or
    /// all of a directory.
    pub(in crate::store) async fn list(
        &self,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<BlobName>, Error> {
        let failed = |error| self.failed("list", folder, error);
        let path = self.path("list", folder)?;
        let found = match after {
            Some(after) => {
                let after = self.path("list", after)?;
                self.store.list_with_offset(Some(&path), &after)
            }
            None => self.store.list(Some(&path)),
        };
        let page = if self.is_directory { usize::MAX } else { NAMES };
        let found = found.map_ok(|found| BlobName {
            key: found.location.into(),
            size: found.size,
        });
        let names: Result<Vec<_>, _> = found.take(page).try_collect().await;
        let mut names = names.map_err(failed)?;
        names.sort_unstable();
        Ok(names)
    }

    /// The folders of starts of SuperLinks.
    pub(in crate::store) async fn folders(&self) -> Result<Vec<String>, Error> {
        let root = self.path("list", ROOT)?;
        let found = self.store.list_with_delimiter(Some(&root)).await;
        let found = found.map_err(|error| self.failed("list", ROOT, error))?;
        let folders = found.common_prefixes.into_iter();
        let mut folders: Vec<String> = folders.map(Into::into).collect();
        folders.sort_unstable();
        Ok(folders)
    }

    /// Writes something, reads it and removes it again.
    pub(super) async fn try_all(&self, start: &str) -> Result<(), Error> {
        let name = format!("{ROOT}/{start}/probe/{:032x}", rand::random::<u128>());
        let content = Bytes::from_static(b"flower-superlink");
        let (id, size) = (ObjectId::of(&content), content.len() as u64);
        self.put(&name, content).await?;
        let key = name.clone();
        let read = self.fetch(&id, &BlobName { key, size }).await;
        self.delete(vec![name]).await?;
        read.map(drop)
    }
}

/// The bytes, if they have this id.
pub(super) async fn verified(id: ObjectId, content: Bytes) -> Result<Bytes, Error> {
    let hashed = content.clone();
    let found = match content.len() <= HASH_INLINE_MAX {
        true => ObjectId::of(&hashed),
        false => {
            let hashing = spawn_blocking(move || ObjectId::of(&hashed));
            hashing.await.map_err(|ended| Error::Failed {
                action: "verify",
                path: format!("object {id}"),
                source: io::Error::other(ended),
            })?
        }
    };
    match found == id {
        true => Ok(content),
        false => {
            let flaw = Flaw::Damaged;
            Err(Error::Flawed(Flawed { id, flaw }))
        }
    }
}
