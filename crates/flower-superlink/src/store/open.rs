//! State and bytes as a daemon finds them: opened together, and brought into line.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_daemon::objects::{self, Files, Memory, Pause, Restored};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use thiserror::Error;

use super::MemoryState;
use super::blobs::{Bucket, BucketError, Claim, Shelf, Start, owner_of};
use super::owner::{self, OwnerError};
use super::postgres::{PostgresError, PostgresState, PostgresUrl};
use super::sqlite::{Kept, OpenError, SqliteState, beside};
use super::{FABS, OBJECTS};
use crate::link::blobs::BlobStore;
use crate::link::state::{LinkState, StateError};

/// Where a SuperLink keeps what it must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The state.
    pub database: Database,
    /// FABs and message objects.
    pub storage: Storage,
}

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// In memory.
    Memory,
    /// In this SQLite file.
    File(PathBuf),
    /// In this PostgreSQL database.
    Postgres(PostgresUrl),
}

/// Where FABs and message objects are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory.
    Memory,
    /// As files below this directory.
    Dir(PathBuf),
    /// In a bucket.
    Bucket(Bucket),
}

impl Storage {
    /// The place for a database file that has no other.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        Self::Dir(beside(database, "storage"))
    }
}

/// What was opened.
#[derive(Debug)]
pub struct Opened {
    /// The state.
    pub state: Arc<dyn LinkState>,
    /// The bytes of objects.
    pub objects: Arc<dyn BlobStore>,
    /// The bytes of FABs.
    pub fabs: Arc<dyn BlobStore>,
    /// Where the output of ServerApp processes goes, if they are to outlive the SuperLink.
    pub outputs: Option<PathBuf>,
    /// Objects and FABs that the state counts on, and whose files are not there.
    pub missing: Vec<ObjectId>,
}

/// Why state or bytes cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database.
    #[error("--database")]
    Database(#[from] OpenError),
    /// The PostgreSQL database.
    #[error("--database")]
    Postgres(#[from] PostgresError),
    /// The rows of the PostgreSQL database.
    #[error("--database")]
    Rows(#[source] StateError),
    /// Nothing could be begun.
    #[error("the check could not begin")]
    Runtime(#[source] std::io::Error),
    /// The storage directory.
    #[error("--storage-dir")]
    Storage(#[from] objects::Error),
    /// The storage directory, for names.
    #[error("--storage-dir")]
    Names(#[source] Box<object_store::Error>),
    /// The bucket.
    #[error("--storage")]
    Bucket(#[from] BucketError),
    /// The storage directory is of another state.
    #[error("--storage-dir")]
    Owner(#[from] OwnerError),
    /// The bytes of the state are elsewhere.
    #[error(
        "{flag}: `{place}` holds nothing of the state in --database, which counts on FABs and objects: give the {flag} of before"
    )]
    Elsewhere {
        /// The flag that names the place.
        flag: &'static str,
        /// The place.
        place: String,
    },
    /// The database is a copy, or the other is.
    #[error(
        "--storage: `{place}` holds the objects of another database with the same state: give a copy of a database a copy of the objects, under another prefix; if this database has taken the place of the other, delete the object `{key}` and start again"
    )]
    Copied {
        /// The bucket.
        place: String,
        /// The object that names the other database.
        key: String,
    },
    /// A backup counts on files that a repair would remove.
    #[error("a backup of `{}` is under way: repair the state when the backup is done", .0.display())]
    BackupUnderWay(PathBuf),
}

impl Places {
    /// Opens both, and removes bytes that the state knows nothing of: a crash left them. It
    /// blocks, on a thread that a runtime of tokio knows.
    ///
    /// # Errors
    /// If one of them cannot be used. Neither is changed then.
    pub fn open(&self, now: Timestamp) -> Result<Opened, StoreError> {
        match &self.database {
            Database::Memory => self.open_memory(),
            Database::File(file) => self.open_file(file, now),
            Database::Postgres(address) => self.open_postgres(address, now),
        }
    }

    fn open_memory(&self) -> Result<Opened, StoreError> {
        let (objects, fabs) = self.open_bytes(owner::NOBODY, Kept::default(), None)?;
        Ok(Opened {
            state: Arc::new(MemoryState::default()),
            objects: objects.store,
            fabs: fabs.store,
            outputs: None,
            missing: Vec::new(),
        })
    }

    fn open_file(&self, file: &Path, now: Timestamp) -> Result<Opened, StoreError> {
        let state = SqliteState::open(file, now)?;
        let pause = Some(pause_of(file));
        let (objects, fabs) = self.open_bytes(state.id(), state.kept(), pause)?;
        let missing = objects.missing.into_iter().chain(fabs.missing).collect();
        Ok(Opened {
            state: Arc::new(state),
            objects: objects.store,
            fabs: fabs.store,
            outputs: Some(beside(file, "apps")),
            missing,
        })
    }

    fn open_postgres(&self, address: &PostgresUrl, now: Timestamp) -> Result<Opened, StoreError> {
        let opening = PostgresState::open(address, now);
        let state = tokio::runtime::Handle::current().block_on(opening)?;
        let start = Start {
            state: state.id().to_owned(),
            epoch: state.epoch(),
        };
        let blocking = tokio::runtime::Handle::current();
        let shelf = blocking.block_on(self.claim(&state))?;
        let missing = match &self.storage {
            Storage::Dir(_) => blocking.block_on(settle(&state, &shelf))?,
            // To list a bucket takes long.
            Storage::Memory | Storage::Bucket(_) => Vec::new(),
        };
        let outputs = match &self.storage {
            Storage::Memory => None,
            Storage::Bucket(Bucket { apps, .. }) => apps.as_ref().map(|dir| dir.join(&start.state)),
            Storage::Dir(dir) => Some(beside(dir, "apps")),
        };
        Ok(Opened {
            state: Arc::new(state),
            objects: Arc::new(shelf.objects(&start)),
            fabs: Arc::new(shelf.fabs(&start)),
            outputs,
            missing,
        })
    }

    /// Makes the place for bytes this state's, unless it is another's, or the bytes are elsewhere.
    async fn claim(&self, state: &PostgresState) -> Result<Shelf, StoreError> {
        let is_new = !state.uses_bytes().await.map_err(StoreError::Rows)?;
        match &self.storage {
            Storage::Memory => self.shelf(),
            Storage::Dir(dir) => {
                if !is_new && owner::has_nothing_of(dir, state.id())? {
                    return Err(elsewhere("--storage-dir", dir.display().to_string()));
                }
                owner::claim(dir, state.id())?;
                self.shelf()
            }
            Storage::Bucket(_) => {
                let (shelf, database) = (self.shelf()?, state.database());
                let failed = |error| self.storage.failed(error);
                let claim = shelf.claim_of(state.id(), database).await;
                match claim.map_err(failed)? {
                    Claim::Ours => {}
                    Claim::Others => return Err(copied(&shelf, state.id())),
                    Claim::Nothing if !is_new => {
                        return Err(elsewhere("--storage", shelf.place().to_owned()));
                    }
                    Claim::Nothing | Claim::Unclaimed => {
                        let claimed = shelf.claim(state.id(), database).await;
                        claimed.map_err(failed)?;
                    }
                }
                Ok(shelf)
            }
        }
    }

    /// The place for bytes under names. A directory must be there.
    pub(super) fn shelf(&self) -> Result<Shelf, StoreError> {
        Ok(match &self.storage {
            Storage::Memory => Shelf::new(Arc::new(InMemory::new()), "memory", 0),
            Storage::Bucket(bucket) => {
                Shelf::new(bucket.store()?, &bucket.url.to_string(), bucket.cache).in_bucket()
            }
            Storage::Dir(dir) => {
                let files = LocalFileSystem::new_with_prefix(dir)
                    .map_err(|error| StoreError::Names(Box::new(error)))?;
                let files = files.with_fsync(true).with_automatic_cleanup(true);
                let place = dir.display().to_string();
                Shelf::new(Arc::new(files), &place, FILES_CACHE).over_directory(dir.clone())
            }
        })
    }

    fn open_bytes(
        &self,
        owner: &str,
        kept: Kept,
        pause: Option<Pause>,
    ) -> Result<(Bytes, Bytes), StoreError> {
        let Storage::Dir(dir) = &self.storage else {
            return Ok((Bytes::memory(), Bytes::memory()));
        };
        owner::claim(dir, owner)?;
        Ok((
            Bytes::files(&dir.join(OBJECTS), kept.objects, pause.clone())?,
            Bytes::files(&dir.join(FABS), kept.fabs, pause)?,
        ))
    }
}

impl Storage {
    /// Marks an error of the place for bytes with its flag.
    pub(super) fn failed(&self, error: objects::Error) -> StoreError {
        match self {
            Self::Bucket(_) => StoreError::Bucket(BucketError::Unusable(error)),
            Self::Memory | Self::Dir(_) => StoreError::Storage(error),
        }
    }
}

pub(super) fn elsewhere(flag: &'static str, place: String) -> StoreError {
    StoreError::Elsewhere { flag, place }
}

pub(super) fn copied(shelf: &Shelf, state: &str) -> StoreError {
    StoreError::Copied {
        place: shelf.place().to_owned(),
        key: owner_of(state),
    }
}

/// Deletes what a SuperLink of schema version 1 has stored and nothing uses any more. Gives the objects
/// and FABs that the database counts on, and whose files are not there.
async fn settle(state: &PostgresState, shelf: &Shelf) -> Result<Vec<ObjectId>, StoreError> {
    let used = state.used_names().await.map_err(StoreError::Rows)?;
    let mut there = HashSet::new();
    let by_ids = [OBJECTS, FABS].map(str::to_owned);
    for folder in shelf.folders().await?.iter().chain(&by_ids) {
        let names = shelf.list(folder, None).await?;
        there.extend(names.into_iter().map(|name| name.key));
    }
    let known: HashSet<_> = used.iter().map(|used| used.name.key.as_str()).collect();
    let is_by_id = |name: &&String| {
        by_ids
            .iter()
            .any(|folder| name.starts_with(folder.as_str()))
    };
    let unused = there.iter().filter(is_by_id);
    let unused = unused.filter(|name| !known.contains(name.as_str()));
    shelf
        .delete(unused.cloned().collect())
        .await
        .into_result()?;
    let lost = used.iter().filter(|used| !there.contains(&used.name.key));
    Ok(lost.map(|used| used.id).collect())
}

/// Bytes of memory for what was read from files: the system keeps files in memory too, but they are
/// verified each time.
const FILES_CACHE: u64 = 64 << 20;

/// The lock beside a database by which a backup postpones deletions.
pub(super) fn pause_of(database: &Path) -> Pause {
    Pause::at(beside(database, "backup-lock"))
}

struct Bytes {
    store: Arc<dyn BlobStore>,
    missing: Vec<ObjectId>,
}

impl Bytes {
    fn memory() -> Self {
        Self {
            store: Arc::new(Memory::new()),
            missing: Vec::new(),
        }
    }

    fn files(
        dir: &Path,
        kept: Vec<(ObjectId, usize)>,
        pause: Option<Pause>,
    ) -> Result<Self, objects::Error> {
        let (files, restored) = match pause {
            None => Files::open(dir, kept)?,
            Some(pause) => Files::open_pausable(dir, kept, pause)?,
        };
        let Restored {
            kept,
            removed,
            missing,
        } = restored;
        tracing::debug!(dir = %dir.display(), kept, removed, missing = missing.len(), "objects found");
        Ok(Self {
            store: Arc::new(files),
            missing,
        })
    }
}
