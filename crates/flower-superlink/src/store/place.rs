//! Where state and bytes are. The place for the bytes of a state in PostgreSQL is proven to be the
//! state's before anything is stored, verified or deleted there.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_core::cause::chain;
use flwr_core::object::ObjectId;
use flwr_daemon::objects;
use flwr_security::private_files;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use thiserror::Error;

use super::blobs::{Bucket, BucketError, Claim, NAMES, Shelf, owner_of};
use super::owner::{self, OwnerError};
use super::postgres::{PostgresError, PostgresState, PostgresUrl};
use super::sqlite::{OpenError, beside};
use super::{FABS, OBJECTS};
use crate::link::state::StateError;

/// Bytes of memory for what was read from files: the system keeps files in memory too, but they are
/// verified each time.
const FILES_CACHE: u64 = 64 << 20;

/// Mode of the folder in which all files are. The library that writes them sets no mode.
const PRIVATE: u32 = 0o700;

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
        "{flag}: `{place}` holds the objects of another database with the same state: give a copy of a database a copy of the objects, in another place; if this database has taken the place of the other, delete `{place}/{key}` and start again"
    )]
    Copied {
        /// The flag that names the place.
        flag: &'static str,
        /// The place.
        place: String,
        /// The name under which the other database is noted.
        key: String,
    },
    /// A backup counts on files that a repair would remove.
    #[error("a backup of `{}` is under way: repair the state when the backup is done", .0.display())]
    BackupUnderWay(PathBuf),
}

/// A state, for the place of its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfState<'s> {
    /// The state, by a name that no other has.
    pub(super) id: &'s str,
    /// The database, by a name that no copy of it has.
    pub(super) database: &'s str,
    /// Whether the state counts on no bytes yet.
    pub(super) is_new: bool,
}

impl Storage {
    /// The flag that names the place.
    pub(super) const fn flag(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "--storage",
            Self::Memory | Self::Dir(_) => "--storage-dir",
        }
    }

    /// Where ServerApps of a state in PostgreSQL print to, if they are to outlive the SuperLink.
    pub(super) fn outputs(&self, state: &str) -> Option<PathBuf> {
        match self {
            Self::Memory => None,
            Self::Dir(dir) => Some(beside(dir, "apps")),
            Self::Bucket(bucket) => {
                let dir = bucket.apps.as_ref()?.join(state);
                Some(dir.join(&bucket.superlink))
            }
        }
    }

    /// Marks an error of the place with its flag.
    pub(super) fn failed(&self, error: objects::Error) -> StoreError {
        match self {
            Self::Bucket(_) => StoreError::Bucket(BucketError::Unusable(error)),
            Self::Memory | Self::Dir(_) => StoreError::Storage(error),
        }
    }

    fn elsewhere(&self, place: String) -> StoreError {
        let flag = self.flag();
        StoreError::Elsewhere { flag, place }
    }

    /// Refuses a directory that is another state's, or that holds nothing of a state which counts
    /// on bytes. Nothing is changed.
    pub(super) fn require_own(&self, state: OfState<'_>) -> Result<(), StoreError> {
        let Self::Dir(dir) = self else {
            return Ok(());
        };
        if !state.is_new && owner::has_nothing_of(dir, state.id)? {
            return Err(self.elsewhere(dir.display().to_string()));
        }
        match owner::read(dir)? {
            Some(found) if found != state.id && found != owner::NOBODY => {
                let dir = dir.clone();
                Err(OwnerError::Other { dir, found }.into())
            }
            _ => Ok(()),
        }
    }

    /// Refuses a place with which another database works, and a bucket that holds nothing of a state
    /// which counts on bytes. Nothing is changed. Gives whether the database is noted there.
    pub(super) async fn require_original(
        &self,
        shelf: &Shelf,
        state: OfState<'_>,
    ) -> Result<bool, StoreError> {
        let claim = shelf.claim_of(state.id, state.database).await;
        match claim.map_err(|error| self.failed(error))? {
            Claim::Ours => Ok(true),
            Claim::Others => Err(StoreError::Copied {
                flag: self.flag(),
                place: shelf.place().to_owned(),
                key: owner_of(state.id),
            }),
            Claim::Nothing if !state.is_new && matches!(self, Self::Bucket(_)) => {
                Err(self.elsewhere(shelf.place().to_owned()))
            }
            Claim::Nothing | Claim::Unclaimed => Ok(false),
        }
    }
}

impl Places {
    /// The place for bytes under names. A directory must be there.
    pub(super) fn shelf(&self) -> Result<Shelf, StoreError> {
        Ok(match &self.storage {
            Storage::Memory => Shelf::new(Arc::new(InMemory::new()), "memory", 0),
            Storage::Bucket(bucket) => {
                Shelf::new(bucket.store()?, &bucket.url.place(), bucket.cache).in_bucket()
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

    /// Makes the place for bytes this state's.
    pub(super) async fn claim(&self, state: &PostgresState) -> Result<Shelf, StoreError> {
        let of_state = OfState {
            id: state.id(),
            database: state.database(),
            is_new: !state.uses_bytes().await.map_err(StoreError::Rows)?,
        };
        self.claim_for(of_state).await
    }

    /// The same for a state that nobody works with yet.
    pub(super) async fn claim_for(&self, of_state: OfState<'_>) -> Result<Shelf, StoreError> {
        self.storage.require_own(of_state)?;
        if let Storage::Dir(dir) = &self.storage {
            owner::claim(dir, of_state.id)?;
        }
        let shelf = self.shelf()?;
        if !self.storage.require_original(&shelf, of_state).await? {
            if let Storage::Dir(dir) = &self.storage {
                let names = dir.join(NAMES);
                private_files::create_dir(&names).map_err(OwnerError::failed(&names))?;
            }
            let claimed = shelf.claim(of_state.id, of_state.database).await;
            claimed.map_err(|error| self.storage.failed(error))?;
        }
        if let Storage::Dir(dir) = &self.storage {
            let names = dir.join(NAMES);
            if private_files::is_exposed(&names) {
                let mode = Permissions::from_mode(PRIVATE);
                fs::set_permissions(&names, mode).map_err(OwnerError::failed(&names))?;
            }
        }
        Ok(shelf)
    }
}

/// Deletes what a SuperLink of schema version 1 has stored and nothing uses any more. Gives the objects
/// and FABs that the database counts on, and whose files are not there.
pub(super) async fn settle(
    state: &PostgresState,
    shelf: &Shelf,
) -> Result<Vec<ObjectId>, StoreError> {
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
    // A failed deletion wastes space and nothing else.
    if let Some(error) = shelf.delete(unused.cloned().collect()).await.error {
        tracing::warn!(
            error = chain(&error),
            "objects that nothing uses were not removed"
        );
    }
    let lost = used.iter().filter(|used| !there.contains(&used.name.key));
    Ok(lost.map(|used| used.id).collect())
}
