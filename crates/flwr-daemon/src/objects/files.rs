//! Object bytes in files: `DIR/ab/abcdef…`, one file an object, named by its id.
//!
//! A file with its final name is complete and on disk. `put` writes a temporary file, syncs and
//! renames the file, syncs the directory, and then answers. A crash may leave temporary files and
//! files without a holder: the next start removes both. Files are 0600, since models are private.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use flwr_core::object::ObjectId;
use parking_lot::{Mutex, MutexGuard};
use tokio::task::spawn_blocking;

use super::{Error, ObjectBytes};
use flwr_security::private_files::{self, TEMPORARY};

mod layout;

pub use layout::{Found, files_in, path_in};

use layout::failed;

/// Object bytes in files under one directory.
#[derive(Clone, Debug)]
pub struct Files {
    dir: Arc<PathBuf>,
    /// Numbers the temporary files of this process.
    counter: Arc<AtomicU64>,
    /// The stored files, by folder. A folder's lock is held for a rename and for a removal, so that
    /// neither overtakes the other.
    held: Arc<[Mutex<HashMap<ObjectId, Held>>]>,
    /// Bytes of all files.
    used: Arc<AtomicU64>,
}

/// The number of folders: the first byte of an id names the folder.
const FOLDERS: usize = 256;

fn folder_of(id: &ObjectId) -> usize {
    usize::from(id.as_bytes()[0])
}

/// A stored file.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// The number of `put`s.
    holders: usize,
    /// The size in bytes.
    size: u64,
    /// Whether this process has written the file, or compared its content. A file of an earlier
    /// process may have changed.
    proven: bool,
}

/// The files found at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files with a holder.
    pub kept: usize,
    /// Files without a holder, which a crash left. They were removed.
    pub removed: usize,
    /// Objects with a holder, but without a file.
    pub missing: Vec<ObjectId>,
}

impl Files {
    /// Opens the store in `dir`, which is created (0700) if missing. `held` has the number of
    /// holders of each object. All other files are the rest of a crash, and are removed.
    ///
    /// # Errors
    /// The directory cannot be created or read, or a file not be removed.
    pub fn open(
        dir: &Path,
        held: impl IntoIterator<Item = (ObjectId, usize)>,
    ) -> Result<(Self, Restored), Error> {
        private_files::create_dir(dir).map_err(failed("create", dir))?;
        let mut wanted: HashMap<_, _> = held.into_iter().collect();
        let (mut restored, mut used) = (Restored::default(), 0);
        let kept: Arc<[Mutex<HashMap<_, _>>]> = (0..FOLDERS).map(|_| Mutex::default()).collect();
        for file in files_in(dir)? {
            let holders = file.id.and_then(|id| Some((id, wanted.remove(&id)?)));
            let Some((id, holders)) = holders else {
                fs::remove_file(&file.path).map_err(failed("delete", &file.path))?;
                restored.removed += 1;
                continue;
            };
            used += file.size;
            let (size, proven) = (file.size, false);
            kept[folder_of(&id)].lock().insert(
                id,
                Held {
                    holders,
                    size,
                    proven,
                },
            );
        }
        restored.kept = kept.iter().map(|folder| folder.lock().len()).sum();
        restored.missing = wanted.into_keys().collect();
        restored.missing.sort_unstable();
        let files = Self {
            dir: Arc::new(dir.to_owned()),
            counter: Arc::default(),
            held: kept,
            used: Arc::new(AtomicU64::new(used)),
        };
        Ok((files, restored))
    }

    fn held(&self, id: &ObjectId) -> MutexGuard<'_, HashMap<ObjectId, Held>> {
        self.held[folder_of(id)].lock()
    }

    fn path_of(&self, id: &ObjectId) -> PathBuf {
        path_in(&self.dir, id)
    }

    fn hold(&self, id: ObjectId, content: &[u8]) -> Result<(), Error> {
        // A file of an earlier process that was not looked at yet is written again.
        if let Some(held) = self.held(&id).get_mut(&id).filter(|held| held.proven) {
            held.holders += 1;
            return Ok(());
        }
        let path = self.path_of(&id);
        let dir = path.parent().unwrap_or(&path);
        {
            // Under the lock: who finds the folder made must find its name synced.
            let _folder = self.held(&id);
            private_files::create_dir(dir).map_err(failed("create", dir))?;
        }
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{number}.{TEMPORARY}"));
        let written =
            private_files::write(&temporary, |file| file.write_all(content)).and_then(|()| {
                let mut held = self.held(&id);
                fs::rename(&temporary, &path)?;
                private_files::sync_dir(dir)?;
                self.note_written(&mut held, id, content.len() as u64);
                Ok(())
            });
        written.map_err(|error| {
            // Best effort: the next start removes it otherwise.
            let _ = fs::remove_file(&temporary);
            failed("write", &path)(error)
        })
    }

    fn note_written(&self, held: &mut HashMap<ObjectId, Held>, id: ObjectId, size: u64) {
        let before = held.get(&id).copied();
        self.used.fetch_add(size, Ordering::Relaxed);
        self.used
            .fetch_sub(before.map_or(0, |held| held.size), Ordering::Relaxed);
        let holders = before.map_or(0, |held| held.holders) + 1;
        held.insert(
            id,
            Held {
                holders,
                size,
                proven: true,
            },
        );
    }

    fn read(&self, id: &ObjectId) -> Result<Option<Bytes>, Error> {
        let path = self.path_of(id);
        let content = match fs::read(&path) {
            Ok(content) => Bytes::from(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let unproven = self.held(id).get(id).is_some_and(|held| !held.proven);
        if unproven {
            if ObjectId::of(&content) != *id {
                let problem = io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its content is not what its name says: the file is damaged",
                );
                return Err(failed("use", &path)(problem));
            }
            if let Some(held) = self.held(id).get_mut(id) {
                held.proven = true;
            }
        }
        Ok(Some(content))
    }

    fn release(&self, id: ObjectId) -> Result<(), Error> {
        let mut held = self.held(&id);
        if let Some(held) = held.get_mut(&id).filter(|held| held.holders > 1) {
            held.holders -= 1;
            return Ok(());
        }
        if let Some(gone) = held.remove(&id) {
            self.used.fetch_sub(gone.size, Ordering::Relaxed);
        }
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
        let (files, id) = (self.clone(), *id);
        on_disk(move || files.read(&id)).await
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), Error> {
        let (files, id) = (self.clone(), *id);
        on_disk(move || files.release(id)).await
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Runs blocking work off the async workers: a slow disk must not hold up heartbeats.
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

    fn empty(dir: &Path) -> Files {
        Files::open(dir, []).unwrap().0
    }

    #[tokio::test]
    async fn files_keep_and_forget() {
        let dir = tempfile::tempdir().unwrap();
        keeps_and_forgets(&empty(dir.path())).await;
    }

    #[tokio::test]
    async fn what_is_held_outlives_the_store_and_the_rest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, other) = (Bytes::from_static(b"kept"), Bytes::from_static(b"other"));
        let (id, left, lost) = (
            ObjectId::of(&kept),
            ObjectId::of(&other),
            ObjectId::of(b"lost"),
        );
        let store = empty(&dir.path().join("objects"));
        store.put(id, kept.clone()).await.unwrap();
        store.put(left, other).await.unwrap();
        assert_eq!(store.used(), 9);
        let file = store.path_of(&id);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let leftover = file.with_extension("7.tmp");
        fs::write(&leftover, b"half").unwrap();

        let (again, restored) =
            Files::open(&dir.path().join("objects"), [(id, 2), (lost, 1)]).unwrap();
        let expected = Restored {
            kept: 1,
            removed: 2,
            missing: vec![lost],
        };
        assert_eq!(restored, expected);
        assert!(!leftover.exists(), "a crash's leftover is removed");
        assert_eq!(again.used(), 4);
        assert_eq!(again.get(&left).await.unwrap(), None);
        assert_eq!(again.get(&id).await.unwrap(), Some(kept));
        again.delete(&id).await.unwrap();
        assert!(file.exists(), "held once more");
        again.delete(&id).await.unwrap();
        assert!(!file.exists());
        assert_eq!(again.used(), 0);
    }

    #[tokio::test]
    async fn a_file_that_changed_is_not_given_out_and_can_be_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let content = Bytes::from_static(b"as it was");
        let id = ObjectId::of(&content);
        empty(dir.path()).put(id, content.clone()).await.unwrap();
        fs::write(path_in(dir.path(), &id), b"as it wasn't").unwrap();
        let (store, _) = Files::open(dir.path(), [(id, 1)]).unwrap();
        let error = store.get(&id).await.unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidData);
        store.put(id, content.clone()).await.unwrap();
        assert_eq!(store.get(&id).await.unwrap(), Some(content));
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = Files::open(&file.join("objects"), []).unwrap_err();
        assert!(error.to_string().contains("file/objects"), "{error}");
    }
}
