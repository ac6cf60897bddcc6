//! Object bytes in files: `DIR/ab/abcdef…`, one file an object, named by its id.
//!
//! A file with its final name is complete and on disk. `put` writes a temporary file, syncs and
//! renames the file, syncs the directory, and then answers. A crash may leave temporary files and
//! files without a holder: the next start removes both. Files are 0600, since models are private.
//!
//! Disks lose and flip bits, and people touch files. Every read hashes the bytes: no other bytes than
//! those that were stored are ever given.
//!
//! Files are never changed in place, and a [`Pause`] postpones their deletion. Another process can
//! therefore copy or link all files that are needed at one moment.

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

use super::{Error, Flaw, Flawed, ObjectBytes};
use flwr_security::private_files::{self, TEMPORARY};

mod layout;
mod pause;
mod release;
mod stamp;

pub use layout::{Found, files_in, path_in};
pub use pause::{Pause, Paused};

use layout::failed;
use stamp::Stamp;

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
    /// Postpones deletions. `None`: nobody copies these files.
    pause: Option<Pause>,
    /// Deletions to be done after the pause, once for each lost holder.
    postponed: Arc<Mutex<Vec<ObjectId>>>,
}

/// Bytes that are written to see whether anything can be: more than the rest of a file's last block.
const TRY_BYTES: usize = 64 << 10;
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
    /// The file when this process wrote or last verified it. `None`: a file of an earlier process
    /// that was not read yet, or a damaged one.
    stamp: Option<Stamp>,
}

impl Held {
    /// Whether the file at this path is the file that was last found good.
    fn is_at(&self, path: &Path) -> bool {
        let found = fs::metadata(path).map(|metadata| Stamp::of(&metadata));
        self.stamp.is_some() && found.ok() == self.stamp
    }
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
        Self::open_with(dir, held, None)
    }

    /// As [`Self::open`], for a store whose files another process may copy. Objects without a holder
    /// stay until the end of a pause.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_pausable(
        dir: &Path,
        held: impl IntoIterator<Item = (ObjectId, usize)>,
        pause: Pause,
    ) -> Result<(Self, Restored), Error> {
        Self::open_with(dir, held, Some(pause))
    }

    fn open_with(
        dir: &Path,
        held: impl IntoIterator<Item = (ObjectId, usize)>,
        pause: Option<Pause>,
    ) -> Result<(Self, Restored), Error> {
        private_files::create_dir(dir).map_err(failed("create", dir))?;
        let mut wanted: HashMap<_, _> = held.into_iter().collect();
        let (mut restored, mut used) = (Restored::default(), 0);
        let kept: Arc<[Mutex<HashMap<_, _>>]> = (0..FOLDERS).map(|_| Mutex::default()).collect();
        let permit = pause.as_ref().map(Pause::permit);
        let is_paused = matches!(permit, Some(None));
        let mut postponed = Vec::new();
        for file in files_in(dir)? {
            let holders = file.id.and_then(|id| match wanted.remove(&id) {
                None if is_paused => {
                    postponed.push(id);
                    Some((id, 1))
                }
                holders => Some((id, holders?)),
            });
            let Some((id, holders)) = holders else {
                fs::remove_file(&file.path).map_err(failed("delete", &file.path))?;
                restored.removed += 1;
                continue;
            };
            used += file.size;
            let (size, stamp) = (file.size, None);
            kept[folder_of(&id)].lock().insert(
                id,
                Held {
                    holders,
                    size,
                    stamp,
                },
            );
        }
        let files: usize = kept.iter().map(|folder| folder.lock().len()).sum();
        restored.kept = files - postponed.len();
        restored.missing = wanted.into_keys().collect();
        restored.missing.sort_unstable();
        let files = Self {
            dir: Arc::new(dir.to_owned()),
            counter: Arc::default(),
            held: kept,
            used: Arc::new(AtomicU64::new(used)),
            pause,
            postponed: Arc::new(Mutex::new(postponed)),
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
        let path = self.path_of(&id);
        // A file that is not known to be good is written again.
        if let Some(held) = self.held(&id).get_mut(&id).filter(|held| held.is_at(&path)) {
            held.holders += 1;
            return Ok(());
        }
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
                let stamp = Stamp::of(&fs::metadata(&path)?);
                self.note_written(&mut held, id, content.len() as u64, stamp);
                Ok(())
            });
        written.map_err(|error| {
            // Best effort: the next start removes it otherwise.
            let _ = fs::remove_file(&temporary);
            failed("write", &path)(error)
        })
    }

    fn note_written(
        &self,
        held: &mut HashMap<ObjectId, Held>,
        id: ObjectId,
        size: u64,
        stamp: Stamp,
    ) {
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
                stamp: Some(stamp),
            },
        );
    }

    /// Reads and verifies a file. `None`: it is not there.
    fn read(&self, id: &ObjectId) -> Result<Option<Bytes>, Error> {
        let path = self.path_of(id);
        let Some((content, stamp)) = self.if_there(stamp::read(&path), "read", &path)? else {
            return Ok(None);
        };
        let is_intact = ObjectId::of(&content) == *id;
        if let Some(held) = self.held(id).get_mut(id) {
            held.stamp = is_intact.then_some(stamp);
        }
        if is_intact {
            return Ok(Some(content.into()));
        }
        let (id, flaw) = (*id, Flaw::Damaged);
        Err(Error::Flawed(Flawed { id, flaw }))
    }

    fn flaw(&self, id: ObjectId) -> Result<Option<Flawed>, Error> {
        let path = self.path_of(&id);
        let is_unchanged = |held: &Held| held.is_at(&path);
        if self.held(&id).get(&id).is_some_and(is_unchanged) {
            return Ok(None);
        }
        match self.read(&id) {
            Ok(Some(_)) => Ok(None),
            Ok(None) => Ok(Some(Flawed {
                id,
                flaw: Flaw::Lost,
            })),
            Err(Error::Flawed(flawed)) => Ok(Some(flawed)),
            Err(error) => Err(error),
        }
    }

    /// `None` for a file that is not there. Where the whole directory is away, its disk may come
    /// back: that is an error.
    fn if_there<T>(
        &self,
        found: io::Result<T>,
        action: &'static str,
        path: &Path,
    ) -> Result<Option<T>, Error> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.dir.is_dir() => Ok(None),
            Err(error) => Err(failed(action, path)(error)),
        }
    }

    fn write_and_remove(&self) -> Result<(), Error> {
        let path = self.dir.join(format!("try.{TEMPORARY}"));
        let written = private_files::write(&path, |file| file.write_all(&[1; TRY_BYTES]));
        // Best effort: the next try writes over the file.
        let _ = fs::remove_file(&path);
        written.map_err(failed("write", &path))
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

    async fn find_flaw(&self, ids: Vec<ObjectId>) -> Result<Option<Flawed>, Error> {
        let files = self.clone();
        on_disk(move || {
            for id in ids {
                if let Some(flawed) = files.flaw(id)? {
                    return Ok(Some(flawed));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn try_to_write(&self) -> Result<(), Error> {
        let files = self.clone();
        on_disk(move || files.write_and_remove()).await
    }

    async fn delete(&self, id: &ObjectId) -> Result<(), Error> {
        let (files, id) = (self.clone(), *id);
        on_disk(move || files.release(id)).await
    }

    async fn delete_postponed(&self) -> Result<(), Error> {
        if self.postponed.lock().is_empty() {
            return Ok(());
        }
        let files = self.clone();
        on_disk(move || files.release_postponed()).await
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
        Err(Error::Failed {
            action: "finish work on",
            path: "the object store".to_owned(),
            source: io::Error::other(ended),
        })
    })
}

#[cfg(test)]
pub(super) mod tests;
