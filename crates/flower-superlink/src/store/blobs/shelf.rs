//! A store of names, in a bucket or below a directory: how bytes are read, listed and deleted.

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flwr_core::object::ObjectId;
use flwr_daemon::objects::{Error, Flaw, Flawed};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::NAMES;
use super::cache::Cache;
use crate::link::blobs::Swept;
use crate::link::state::BlobName;

mod upload;

use upload::PLACES;

/// Bytes up to which an object is one request.
pub(super) const ONE_REQUEST: usize = 16 << 20;
/// Bytes of a part of a larger one, and parts under way at the same time.
pub(super) const PART: usize = 8 << 20;
const PARTS: usize = 4;
/// Bytes from which on hashing is moved off the async workers: about a millisecond's work.
const HASH_INLINE_MAX: usize = 256 << 10;
/// Names that are listed at once, and that are deleted by one request.
const PAGE: usize = 1000;
/// What S3 calls an object that is not there. An answer without the word is of somebody else: of a
/// proxy, or of a server that does not have the bucket.
const NO_SUCH_KEY: &str = "NoSuchKey";

/// A place for bytes under names.
#[derive(Debug, Clone)]
pub(in crate::store) struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// What people call the place.
    place: Arc<str>,
    uploads: Arc<Semaphore>,
    pub(super) cache: Arc<Cache>,
    site: Site,
}

/// What a shelf is over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Site {
    Memory,
    /// A disk may be full, which a health check finds by writing something. A directory is not
    /// listed in the order of names.
    Directory(PathBuf),
    Bucket,
}

/// What was found under a name.
enum Found {
    Content(Bytes),
    /// Bytes of another number than was noted.
    OtherSize,
}

impl Shelf {
    /// A shelf over a store, with so many bytes of memory for what was read.
    pub(in crate::store) fn new(store: Arc<dyn ObjectStore>, place: &str, cache: u64) -> Self {
        Self {
            store,
            place: place.into(),
            uploads: Arc::new(Semaphore::new(PLACES)),
            cache: Arc::new(Cache::new(cache)),
            site: Site::Memory,
        }
    }

    /// The same over a directory.
    pub(in crate::store) fn over_directory(self, dir: PathBuf) -> Self {
        Self {
            site: Site::Directory(dir),
            ..self
        }
    }

    /// The same in a bucket.
    pub(in crate::store) fn in_bucket(self) -> Self {
        Self {
            site: Site::Bucket,
            ..self
        }
    }

    /// The directory that the shelf is over, if it is over one.
    pub(in crate::store) fn directory(&self) -> Option<&std::path::Path> {
        match &self.site {
            Site::Directory(dir) => Some(dir),
            Site::Memory | Site::Bucket => None,
        }
    }

    /// Whether an error proves that nothing is under a name. A server that is in maintenance, or that
    /// lost the bucket, answers 404 too.
    fn is_lost(&self, error: &object_store::Error) -> bool {
        match error {
            object_store::Error::NotFound { source, .. } => {
                self.site != Site::Bucket || source.to_string().contains(NO_SUCH_KEY)
            }
            _ => false,
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

    /// The verified bytes of a name.
    pub(super) async fn get(&self, id: &ObjectId, name: &BlobName) -> Result<Bytes, Error> {
        let (shelf, id, key) = (self.clone(), *id, name.key.clone());
        let name = name.clone();
        let read = async move { verified(id, shelf.fetch(&id, &name).await?).await };
        self.cache.get(&key, read).await
    }

    pub(super) async fn fetch(&self, id: &ObjectId, name: &BlobName) -> Result<Bytes, Error> {
        let path = self.path("read", &name.key)?;
        let found = match usize::try_from(name.size) {
            Ok(size) if size > ONE_REQUEST => self.get_in_parts(&path, size).await,
            _ => match self.store.get(&path).await {
                Ok(found) => found.bytes().await.map(Found::Content),
                Err(error) => Err(error),
            },
        };
        let flawed = |flaw| Err(Error::Flawed(Flawed { id: *id, flaw }));
        match found {
            Ok(Found::Content(content)) => Ok(content),
            Ok(Found::OtherSize) => flawed(Flaw::Damaged),
            Err(error) if self.is_lost(&error) => flawed(Flaw::Lost),
            Err(error) => Err(self.failed("read", &name.key, error)),
        }
    }

    /// The bytes of a small name, if it is there.
    pub(super) async fn small(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let path = self.path("read", name)?;
        let read = async { self.store.get(&path).await?.bytes().await };
        match read.await {
            Ok(content) => Ok(Some(content)),
            Err(error) if self.is_lost(&error) => Ok(None),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    /// Reads and verifies the bytes of a name, whatever is in memory. Gives their number.
    pub(in crate::store) async fn verify(
        &self,
        id: &ObjectId,
        name: &BlobName,
    ) -> Result<u64, Error> {
        let content = verified(*id, self.fetch(id, name).await?).await?;
        Ok(content.len() as u64)
    }

    /// What people call the place.
    pub(in crate::store) fn place(&self) -> &str {
        &self.place
    }

    /// The first part tells how much there is. A range past the end would be an error that does not
    /// say what is wrong.
    async fn get_in_parts(&self, path: &Path, size: usize) -> object_store::Result<Found> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(0..PART as u64)),
            ..GetOptions::default()
        };
        let first = match self.store.get_opts(path, options).await {
            Ok(first) => first,
            Err(error @ object_store::Error::NotFound { .. }) => return Err(error),
            // Of no bytes there is no part.
            Err(error) => {
                return match self.store.head(path).await {
                    Ok(found) if found.size != size as u64 => Ok(Found::OtherSize),
                    _ => Err(error),
                };
            }
        };
        if first.meta.size != size as u64 {
            return Ok(Found::OtherSize);
        }
        let mut content = BytesMut::with_capacity(size);
        content.extend_from_slice(&first.bytes().await?);
        let part = |start: usize| {
            let range = start as u64..size.min(start + PART) as u64;
            async move { self.store.get_range(path, range).await }
        };
        let parts = stream::iter((PART..size).step_by(PART)).map(part);
        let mut parts = parts.buffered(PARTS);
        while let Some(part) = parts.try_next().await? {
            content.extend_from_slice(&part);
        }
        Ok(Found::Content(content.freeze()))
    }

    /// Deletes the bytes of these names, each by itself: those that cannot be deleted hold up no
    /// others. Those that are gone are no error.
    pub(in crate::store) async fn delete(&self, names: Vec<String>) -> Swept {
        let mut swept = Swept::default();
        for names in names.chunks(PAGE) {
            let (mut known, mut paths) = (Vec::new(), Vec::new());
            for name in names {
                self.cache.forget(name);
                match self.path("delete", name) {
                    Ok(path) => {
                        known.push(name);
                        paths.push(Ok(path));
                    }
                    Err(error) => swept.failed(name, error),
                }
            }
            let deleted = self.store.delete_stream(stream::iter(paths).boxed());
            // The library panics at an answer about a name that was not asked for.
            let outcomes = AssertUnwindSafe(deleted.collect::<Vec<_>>()).catch_unwind();
            // A request that fails has one outcome for all of its names.
            let mut outcomes = outcomes.await.unwrap_or_default().into_iter();
            for name in known {
                match outcomes.next() {
                    Some(Ok(_) | Err(object_store::Error::NotFound { .. })) => {
                        swept.gone.push(name.clone());
                    }
                    Some(Err(error)) => swept.failed(name, self.failed("delete", name, error)),
                    None => swept.failed(name, self.unanswered(name)),
                }
            }
        }
        swept
    }

    fn unanswered(&self, name: &str) -> Error {
        Error::Failed {
            action: "delete",
            path: format!("{}/{name}", self.place),
            source: io::Error::other("the server did not say what became of it"),
        }
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
        let page = match self.site {
            Site::Directory(_) => usize::MAX,
            Site::Memory | Site::Bucket => PAGE,
        };
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
        let root = self.path("list", NAMES)?;
        let found = self.store.list_with_delimiter(Some(&root)).await;
        let found = found.map_err(|error| self.failed("list", NAMES, error))?;
        let folders = found.common_prefixes.into_iter();
        let mut folders: Vec<String> = folders.map(Into::into).collect();
        folders.sort_unstable();
        Ok(folders)
    }

    /// Writes something, reads it and removes it again.
    pub(super) async fn try_all(&self, start: &str) -> Result<(), Error> {
        let name = format!("{NAMES}/{start}/probe/{:032x}", rand::random::<u128>());
        let content = Bytes::from_static(b"flower-superlink");
        let (id, size) = (ObjectId::of(&content), content.len() as u64);
        self.put(&name, content).await?;
        let key = name.clone();
        let read = self.fetch(&id, &BlobName { key, size }).await;
        self.delete(vec![name]).await.into_result()?;
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
