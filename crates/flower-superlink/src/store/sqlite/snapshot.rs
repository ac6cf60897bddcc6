//! A copy of the database as it is at one moment, also while a SuperLink writes, and what the copy
//! counts on.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use flwr_core::object::ObjectId;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode};

use super::file::{self, OpenError};
use super::{migration, objects, runs};
use crate::link::state::StateResult;

/// Pages of a step: 4 MiB. They are on disk before the next step begins: otherwise the disk has the whole
/// copy to write when a SuperLink commits, and the commit waits for it.
const STEP_PAGES: std::ffi::c_int = 1024;
/// How long to wait for somebody who locks the whole database: a repair, or a start.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a database is, and what it counts on.
#[derive(Debug)]
pub(in crate::store) struct Content {
    /// The name of the state.
    pub(in crate::store) state: String,
    /// The version of the schema.
    pub(in crate::store) schema: i64,
    /// The number of runs.
    pub(in crate::store) runs: u64,
    /// Message objects whose bytes are kept, in the order of their ids.
    pub(in crate::store) objects: Vec<ObjectId>,
    /// FABs whose bytes are kept, in the order of their ids.
    pub(in crate::store) fabs: Vec<ObjectId>,
}

/// Why a copy is not made.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum SnapshotError {
    /// The database cannot be read.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// The copy cannot be written.
    #[error(transparent)]
    Copy(#[from] io::Error),
}

/// The name of the state in a database of ours.
pub(in crate::store) fn state_of(database: &Path) -> Result<String, OpenError> {
    let connection = file::open_to_read(database)?;
    file::identify(&connection, database)?;
    let id = connection.query_row("SELECT id FROM link", [], |row| row.get(0));
    id.map_err(|error| file::failed(database, error))
}

/// Copies the database to `copy`, which is on disk when this returns. A copy is one file: SQLite
/// writes no other beside it.
pub(in crate::store) fn copy(database: &Path, copy: &Path) -> Result<(), SnapshotError> {
    let source = file::open_to_read(database)?;
    file::create_private(copy)?;
    let full = || io::Error::from(io::ErrorKind::StorageFull).into();
    let told = |error: rusqlite::Error| -> SnapshotError {
        // On a full disk, the copy's index of pages has no room either.
        let extended = error.sqlite_error().map(|failed| failed.extended_code);
        match error.sqlite_error_code() {
            _ if extended == Some(SQLITE_IOERR_SHMSIZE) => full(),
            Some(ErrorCode::DiskFull) => full(),
            // Of two files, the other failed.
            Some(ErrorCode::SystemIoFailure) if is_readable(&source) => {
                io::Error::other(error).into()
            }
            _ => file::failed(database, error).into(),
        }
    };
    let mut target = Connection::open_with_flags(copy, file::WRITE).map_err(told)?;
    let on_disk = File::open(copy)?;
    // A disk that fails is told by the last sync.
    write(&source, &mut target, || drop(on_disk.sync_data())).map_err(told)?;
    target.close().map_err(|(_, error)| told(error))?;
    on_disk.sync_all()?;
    Ok(())
}

/// Whether the disk still gives the pages of the database.
fn is_readable(database: &Connection) -> bool {
    let read = database.query_row("SELECT count(*) FROM link", [], |_| Ok(()));
    read.is_ok()
}

/// Copies all pages, and does something after each step but the last.
pub(super) fn write(
    source: &Connection,
    target: &mut Connection,
    mut after_step: impl FnMut(),
) -> rusqlite::Result<()> {
    // A copy that is not finished is thrown away: nothing in it must be undone.
    target.pragma_update(None, "journal_mode", "off")?;
    target.pragma_update(None, "synchronous", "off")?;
    // One read transaction for all steps blocks no writer (WAL). Without it, each commit of the SuperLink
    // between two steps would begin the copy anew.
    source.busy_timeout(PATIENCE)?;
    let moment = source.unchecked_transaction()?;
    moment.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    let backup = Backup::new(&moment, target)?;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => break,
            StepResult::More => after_step(),
            _ => {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
    }
    drop(backup);
    drop(moment);
    // The copied head says that the log of a WAL stands beside the file.
    target.pragma_update(None, "journal_mode", "delete")
}

impl Content {
    /// Reads a database that nobody writes, and proves that it is ours and whole.
    pub(in crate::store) fn read(database: &Path) -> Result<Self, OpenError> {
        file::inspect(database)?;
        let connection = file::open_to_read(database)?;
        let content = Self::of(&connection);
        content.map_err(|error| file::failed(database, error))
    }

    fn of(connection: &Connection) -> StateResult<Self> {
        let held = objects::held(connection)?.into_iter();
        let fabs = runs::fabs(connection)?.into_iter();
        let fabs = fabs.filter_map(|(hash, _)| hash.parse().ok());
        let one = |sql| connection.query_row(sql, [], |row| row.get(0));
        let mut content = Self {
            state: connection.query_row("SELECT id FROM link", [], |row| row.get(0))?,
            schema: migration::version(connection)?,
            runs: one("SELECT count(*) FROM run")?,
            objects: held.map(|(id, _)| id).collect(),
            fabs: fabs.collect(),
        };
        content.objects.sort_unstable();
        content.fabs.sort_unstable();
        Ok(content)
    }
}
