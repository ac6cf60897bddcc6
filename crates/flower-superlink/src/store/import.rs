//! `--import FILE`: brings the state of a stopped SuperLink from a SQLite file and its files into an empty
//! PostgreSQL database and its bucket. `tables` says which row goes where.
//!
//! ```text
//!   1  FILE is held, and proven whole        nothing is written, but in a copy of an older FILE
//!   2  the database is held, and empty       its tables are made
//!   3  large objects and FABs are stored     under names that no row knows yet
//!   4  all rows, in one transaction          COMMIT makes all of it the state
//! ```
//! Whoever kills the import before the COMMIT finds the database without a state. The names of what was
//! stored have the state and an epoch in them: the next SuperLink of the state removes those bytes as what a
//! dead SuperLink has left. FILE and its files stay as they were.
//!
//! The state keeps its name, so that a bucket with which another database has begun to work is refused.

use std::fmt;
use std::path::PathBuf;

use flwr_core::monotonic;
use flwr_core::size::Size;
use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::blobs::{Beside, INLINE_MAX, NAMES, NamedBlobs, Shelf, Start};
use super::place::{Database, OfState, Places, Storage, StoreError};
use super::postgres::{Filling, PostgresUrl, Vacant};
use super::sqlite::{Export, Unread, beside};
use super::tables::{INLINE, TABLES, Value};
use crate::link::blobs::BlobStore;
use crate::link::state::{Blob, StateError};

mod error;
mod files;

pub use error::ImportError;

use files::{Bytes, Files};

/// Files that are read and stored at the same time, and places of a MiB for what is in memory of them. A
/// larger file has all places.
const AT_ONCE: usize = 8;
const PLACES: u32 = 256;
/// Seconds between two lines about the progress.
const EVERY: f64 = 5.0;

/// What is imported.
#[derive(Debug, Clone)]
pub struct Import {
    /// The SQLite file.
    pub file: PathBuf,
    /// The directory with its FABs and objects. `None`: beside the file.
    pub storage: Option<PathBuf>,
}

/// What was imported.
#[derive(Debug, Default)]
pub struct Imported {
    /// The tables, each with the number of its rows.
    pub rows: Vec<(&'static str, u64)>,
    /// Objects and FABs under names, and their bytes.
    pub named: u64,
    /// The bytes of these.
    pub named_bytes: u64,
    /// Small objects, which stand in the database.
    pub inline: u64,
    /// The bytes of these.
    pub inline_bytes: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in &self.rows {
            if !matches!(*table, "state" | "blob" | "inline" | "awaited") {
                write!(f, "{rows} of {table}, ")?;
            }
        }
        write!(
            f,
            "{} objects and FABs of {} in the storage, {} small objects of {} in the database",
            self.named,
            Size(self.named_bytes),
            self.inline,
            Size(self.inline_bytes)
        )
    }
}

impl Places {
    /// Imports a state to these places, and tells how far that is. It blocks now and then: wait for it on a
    /// thread that has nothing else to do.
    ///
    /// # Errors
    /// If one of the places cannot be used, is in use, or holds a state already; or if something of the
    /// imported state is missing or damaged. The database has no state then.
    pub async fn import(
        &self,
        import: &Import,
        tell: &dyn Fn(String),
    ) -> Result<Imported, ImportError> {
        let Database::Postgres(address) = &self.database else {
            return Err(ImportError::NotPostgres);
        };
        let dir = import.storage.clone();
        let dir = dir.unwrap_or_else(|| beside(&import.file, "storage"));
        let source = Export::open(&import.file).map_err(ImportError::of_file(&import.file))?;
        if let Storage::Dir(to) = &self.storage
            && files::is_same(to, &dir)
        {
            return Err(ImportError::SameStorage(dir));
        }
        let files = Files::find(&import.file, &dir, &source)?;
        tell(format!(
            "{} holds the state {}, with {files}",
            import.file.display(),
            source.id()
        ));
        let vacant = Vacant::open(address).await.map_err(StoreError::from)?;
        let vacant = vacant.map_err(|_| ImportError::Occupied(address.clone()))?;
        self.fill(vacant, &source, &files, tell).await
    }

    async fn fill(
        &self,
        mut vacant: Vacant,
        source: &Export,
        files: &Files,
        tell: &dyn Fn(String),
    ) -> Result<Imported, ImportError> {
        let Database::Postgres(address) = &self.database else {
            return Err(ImportError::NotPostgres);
        };
        let of_state = OfState {
            id: source.id(),
            database: vacant.database(),
            is_new: true,
        };
        let start = Start {
            state: source.id().to_owned(),
            epoch: vacant.epoch(),
            beside: Beside::default(),
        };
        let work = Work {
            shelf: self.claim_for(of_state).await?,
            start,
            source,
            files,
            address,
            tell,
            room: Semaphore::new(PLACES as usize),
        };
        source
            .note_adopter(self.storage.superlink())
            .map_err(files.unread())?;
        let done = async {
            let mut imported = work.store().await?;
            let filling = vacant.begin().await.map_err(work.rows())?;
            work.copy(&filling, &mut imported).await?;
            Ok::<_, ImportError>((imported, filling))
        };
        match done.await {
            Ok((imported, filling)) => {
                // Whether an unanswered COMMIT happened is not known: the bytes stay.
                let committed = filling.commit().await;
                committed.map_err(|source| ImportError::Unanswered {
                    address: address.clone(),
                    source,
                })?;
                let outputs = self.storage.outputs(source.id());
                files.link_outputs(outputs.as_deref());
                Ok(imported)
            }
            Err(error) => {
                work.discard().await;
                Err(error)
            }
        }
    }
}

impl Storage {
    /// The name of the SuperLink that shares the place with others.
    fn superlink(&self) -> Option<&str> {
        match self {
            Self::Bucket(bucket) => Some(&bucket.superlink),
            Self::Memory | Self::Dir(_) => None,
        }
    }
}

/// The way of a state from a file to a database.
struct Work<'w> {
    source: &'w Export,
    files: &'w Files,
    shelf: Shelf,
    start: Start,
    address: &'w PostgresUrl,
    tell: &'w dyn Fn(String),
    room: Semaphore,
}

impl Work<'_> {
    /// Marks an error of the database with its address.
    fn rows(&self) -> impl Fn(StateError) -> ImportError + use<> {
        let address = self.address.clone();
        move |source| ImportError::Rows {
            address: address.clone(),
            source,
        }
    }

    /// Stores what gets a name.
    async fn store(&self) -> Result<Imported, ImportError> {
        let (objects, fabs) = (
            self.shelf.objects(&self.start),
            self.shelf.fabs(&self.start),
        );
        let large = self.files.objects.iter().filter(|found| is_large(found));
        let large = large.map(|found| (found, false));
        let all: Vec<_> = large
            .chain(self.files.fabs.iter().map(|found| (found, true)))
            .collect();
        let total: u64 = all.iter().map(|(found, _)| found.size).sum();
        let keep = |(found, is_fab)| {
            let to = if is_fab { &fabs } else { &objects };
            async move { (is_fab, found, self.keep(found, to).await) }
        };
        let number = all.len();
        let mut kept = stream::iter(all.into_iter().map(keep)).buffer_unordered(AT_ONCE);
        let (mut imported, mut done, mut read) = (Imported::default(), 0, 0);
        let mut told = monotonic::now();
        while let Some((is_fab, found, blobs)) = kept.next().await {
            for (run, blob) in found.runs.iter().zip(blobs?) {
                let Blob::Named(name) = blob else { continue };
                let key = (*run, found.id, is_fab);
                self.source
                    .note_name(key, &name)
                    .map_err(self.files.unread())?;
                imported.named += 1;
                imported.named_bytes += name.size;
            }
            (done, read) = (done + 1, read + found.size);
            if told.elapsed().as_secs_f64() >= EVERY {
                told = monotonic::now();
                (self.tell)(format!(
                    "stored {done} of {number} objects and FABs, {} of {}",
                    Size(read),
                    Size(total)
                ));
            }
        }
        Ok(imported)
    }

    /// Stores the bytes of a file, once for each of its runs.
    async fn keep(&self, found: &Bytes, to: &NamedBlobs) -> Result<Vec<Blob>, ImportError> {
        let places = u32::try_from(found.size >> 20).unwrap_or(PLACES);
        // It is never closed.
        let _places = self.room.acquire_many(places.clamp(1, PLACES)).await.ok();
        let content = self.files.read(found).await?;
        let mut blobs = Vec::new();
        for run in &found.runs {
            let kept = to.keep(*run, found.id, content.clone()).await;
            blobs.push(kept.map_err(ImportError::Store)?);
        }
        Ok(blobs)
    }

    /// Writes all rows, and looks whether they fit together.
    async fn copy(
        &self,
        filling: &Filling<'_>,
        imported: &mut Imported,
    ) -> Result<(), ImportError> {
        let rows = copy_rows(self.source, filling, self.tell).await;
        imported.rows = rows.map_err(|error| match error {
            NotCopied::Unread(source) => self.files.unread()(source),
            NotCopied::Unwritten(source) => self.rows()(source),
        })?;
        let mut copying = filling.copy(&INLINE).await.map_err(self.rows())?;
        for found in self.files.objects.iter().filter(|found| !is_large(found)) {
            let content = self.files.read(found).await?;
            for run in &found.runs {
                let values = vec![
                    Value::Integer(u64::from(*run).cast_signed()),
                    Value::Bytes(found.id.as_bytes().to_vec()),
                    Value::Bytes(content.to_vec()),
                ];
                copying.write(values).await.map_err(self.rows())?;
                imported.inline += 1;
                imported.inline_bytes += found.size;
            }
        }
        copying.finish().await.map_err(self.rows())?;
        let problems = filling.problems().await.map_err(self.rows())?;
        match problems.is_empty() {
            true => Ok(()),
            false => Err(ImportError::Problems(self.files.database.clone(), problems)),
        }
    }

    /// Deletes what was stored. Best effort: the next SuperLink of the state does the same.
    async fn discard(&self) {
        let folder = format!("{NAMES}/{}", self.start);
        while let Ok(names) = self.shelf.list(&folder, None).await {
            let names: Vec<_> = names.into_iter().map(|name| name.key).collect();
            if names.is_empty() || self.shelf.delete(names).await.into_result().is_err() {
                return;
            }
        }
    }
}

/// Why rows are not copied.
#[derive(Debug)]
enum NotCopied {
    Unread(Unread),
    Unwritten(StateError),
}

impl From<Unread> for NotCopied {
    fn from(error: Unread) -> Self {
        Self::Unread(error)
    }
}

impl From<StateError> for NotCopied {
    fn from(error: StateError) -> Self {
        Self::Unwritten(error)
    }
}

/// Copies the rows of all tables, but for those whose bytes stand in files. Gives their numbers.
async fn copy_rows(
    source: &Export,
    filling: &Filling<'_>,
    tell: &dyn Fn(String),
) -> Result<Vec<(&'static str, u64)>, NotCopied> {
    let mut copied = Vec::new();
    for table in TABLES {
        let mut copying = filling.copy(table).await?;
        let write = async |values| Ok(copying.write(values).await?);
        source.each::<NotCopied>(table, write).await?;
        let rows = copying.finish().await?;
        if rows > 0 {
            tell(format!("{rows} rows of {} copied", table.name));
        }
        copied.push((table.name, rows));
    }
    Ok(copied)
}

fn is_large(found: &Bytes) -> bool {
    found.size > INLINE_MAX as u64
}

#[cfg(test)]
#[allow(
    unused_must_use,
    reason = "these tests ask nobody to look, and nobody waits"
)]
pub(super) mod tests;
