//! Object bytes in files: `DIR/ab/abcdef…`, one file an object, named by its id.
//!
//! A file with its final name is whole and on disk: bytes go to a temporary file first, which is
//! synced, renamed, and its directory synced, before `put` answers. What a crash leaves behind
//! is at most a temporary file; the next start removes it. Files are 0600: models are private.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::object::ObjectId;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use super::{Error, ObjectBytes};

/// Temporary files carry this ending.
const TEMPORARY: &str = "tmp";

/// Object bytes in files under one directory.
#[derive(Clone, Debug)]
pub struct Files {
    dir: Arc<PathBuf>,
    /// Makes the names of temporary files of this process distinct.
    counter: Arc<AtomicU64>,
    /// How many `put`s of this process hold each file. Held while a file gets its final name or
    /// is removed, so that the two cannot overtake each other.
    holders: Arc<Mutex<HashMap<ObjectId, usize>>>,
}

impl Files {
    /// Uses `dir`, creating it (0700) where it is missing, and removes what a crash left.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        create_private(dir)?;
        remove_temporaries(dir)?;
        Ok(Self {
            dir: Arc::new(dir.to_owned()),
            counter: Arc::default(),
            holders: Arc::default(),
        })
    }

    fn path_of(&self, id: &ObjectId) -> PathBuf {
        let name = id.to_string();
        self.dir.join(&name[..2]).join(&name)
    }

    fn hold(&self, id: ObjectId, content: &[u8]) -> Result<(), Error> {
        if let Some(holders) = self.holders.lock().get_mut(&id) {
            *holders += 1;
            return Ok(());
        }
        let path = self.path_of(&id);
        let dir = path.parent().unwrap_or(&path);
        create_private(dir)?;
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{number}.{TEMPORARY}"));
        let written = write_synced(&temporary, content).and_then(|()| {
            let mut holders = self.holders.lock();
            fs::rename(&temporary, &path)?;
            File::open(dir)?.sync_all()?;
            *holders.entry(id).or_default() += 1;
            Ok(())
        });
        written.map_err(|error| {
            // Best effort: the next start removes it otherwise.
            let _ = fs::remove_file(&temporary);
            failed("write", &path)(error)
        })
    }

    fn release(&self, id: ObjectId) -> Result<(), Error> {
        let mut holders = self.holders.lock();
        if let Some(count) = holders.get_mut(&id).filter(|count| **count > 1) {
            *count -= 1;
            return Ok(());
        }
        holders.remove(&id);
        let path = self.path_of(&id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("delete", &path)(error))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl ObjectBytes for Files {
    async fn put(&self, id: ObjectId, content: Bytes) -> Result<(), Error> {
        let files = self.clone();
        on_disk(move || files.hold(id, &content)).await
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Bytes>, Error> {
        let path = self.path_of(id);
        on_disk(move || match fs::read(&path) {
            Ok(content) => Ok(Some(Bytes::from(content))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        })
        .await
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), Error> {
        let (files, id) = (self.clone(), *id);
        on_disk(move || files.release(id)).await
    }
}

/// Off the async workers: a slow disk must not hold up heartbeats.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|ended| {
        Err(Error {
            action: "finish work on",
            path: "the object store".to_owned(),
            source: io::Error::other(ended),
        })
    })
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn create_private(dir: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(failed("create", dir))
}

fn remove_temporaries(dir: &Path) -> Result<(), Error> {
    for shelf in fs::read_dir(dir).map_err(failed("read", dir))?.flatten() {
        let Ok(files) = fs::read_dir(shelf.path()) else {
            continue;
        };
        for file in files.flatten() {
            if file
                .path()
                .extension()
                .is_some_and(|ending| ending == TEMPORARY)
            {
                fs::remove_file(file.path()).map_err(failed("delete", &file.path()))?;
            }
        }
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |source| Error {
        action,
        path,
        source,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    pub(in crate::objects) async fn keeps_and_forgets(store: &dyn ObjectBytes) {
        let content = Bytes::from_static(b"some bytes");
        let id = ObjectId::of(&content);
        assert_eq!(store.get(&id).await.unwrap(), None);
        store.delete(&id).await.unwrap();
        store.put(id, content.clone()).await.unwrap();
        store.put(id, content.clone()).await.unwrap();
        assert_eq!(store.get(&id).await.unwrap(), Some(content.clone()));
        store.delete(&id).await.unwrap();
        assert_eq!(
            store.get(&id).await.unwrap(),
            Some(content),
            "still held once"
        );
        store.delete(&id).await.unwrap();
        assert_eq!(store.get(&id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn files_keep_and_forget() {
        let dir = tempfile::tempdir().unwrap();
        keeps_and_forgets(&Files::open(dir.path()).unwrap()).await;
    }

    #[tokio::test]
    async fn files_outlive_the_store_and_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let content = Bytes::from_static(b"kept");
        let id = ObjectId::of(&content);
        let store = Files::open(&dir.path().join("objects")).unwrap();
        store.put(id, content.clone()).await.unwrap();
        let file = store.path_of(&id);
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let leftover = file.with_extension("7.tmp");
        fs::write(&leftover, b"half").unwrap();
        let again = Files::open(&dir.path().join("objects")).unwrap();
        assert_eq!(again.get(&id).await.unwrap(), Some(content));
        assert!(!leftover.exists(), "a crash's leftover is removed");
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Files::open(&file.join("objects")).unwrap_err();
        assert!(error.to_string().contains("file/objects"), "{error}");
    }
}
