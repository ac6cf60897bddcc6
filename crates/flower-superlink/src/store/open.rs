//! State and bytes as a daemon finds them: opened together, and brought into line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::FollowingClock;
use flwr_daemon::objects::{self, Files, Memory, Pause, Restored};

use super::place::{Database, Places, Storage, StoreError, settle};
use super::postgres::{Company, PostgresState, PostgresUrl};
use super::sqlite::{Kept, SqliteState, beside};
use super::{FABS, MemoryState, OBJECTS, owner};
use crate::link::blobs::BlobStore;
use crate::link::state::LinkState;

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
    /// What the operator should know.
    pub warnings: Vec<String>,
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

    /// Tells the clock the time of the database server, by which all SuperLinks of the database go. A file
    /// has one SuperLink, which goes by its machine's clock.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn tell_time(&self, clock: &FollowingClock) -> Result<(), StoreError> {
        match &self.database {
            Database::Memory | Database::File(_) => Ok(()),
            Database::Postgres(address) => Ok(PostgresState::ask_time(address, clock).await?),
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
            warnings: Vec::new(),
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
            warnings: Vec::new(),
        })
    }

    fn open_postgres(&self, address: &PostgresUrl, now: Timestamp) -> Result<Opened, StoreError> {
        // Others can work with a bucket, and with nothing that is on this machine.
        let company = match &self.storage {
            Storage::Bucket(bucket) => Company::Named(&bucket.superlink),
            Storage::Memory | Storage::Dir(_) => Company::Alone,
        };
        let opening = PostgresState::open_in(address, company, now);
        let state = tokio::runtime::Handle::current().block_on(opening)?;
        let start = state.start();
        let blocking = tokio::runtime::Handle::current();
        let shelf = blocking.block_on(self.claim(&state))?;
        let missing = match &self.storage {
            Storage::Dir(_) => blocking.block_on(settle(&state, &shelf))?,
            // To list a bucket takes long.
            Storage::Memory | Storage::Bucket(_) => Vec::new(),
        };
        let outputs = self.storage.outputs(&start.state);
        let warnings = blocking.block_on(state.warnings());
        let warnings = warnings.map_err(StoreError::Rows)?;
        Ok(Opened {
            state: Arc::new(state),
            objects: Arc::new(shelf.objects(&start)),
            fabs: Arc::new(shelf.fabs(&start)),
            outputs,
            missing,
            warnings,
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
