//! The database file: found or made, proven to be ours and whole, and held by one SuperLink.
//!
//! Whatever is refused stays as it was: nothing is written before the last check has passed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flwr_security::private_files;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use super::migration;
use crate::link::state::StateResult;

/// Marks a database as a SuperLink's, where SQLite has a place for that: "FwSL".
const APPLICATION: i32 = i32::from_be_bytes(*b"FwSL");
/// The first bytes of each SQLite database (SQLite file format, 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How a database is opened to be written.
pub(super) const WRITE: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
/// Pages of the log that is written ahead, after which it is brought into the database.
const CHECKPOINT_PAGES: u32 = 1000;
/// Bytes that the log may keep on disk once it is brought in.
const LOG_BYTES: u32 = 64 << 20;

/// `PRAGMA auto_vacuum` of a database that can give free pages back.
const INCREMENTAL: i64 = 2;
/// Bytes that are rewritten at the start to make a database able to give space back. It takes
/// about a second for each 100 MiB.
const CHEAP_BYTES: u64 = 256 << 20;

/// Why a database is not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Somebody else works with it.
    #[error(
        "`{}` is in use by another flower-superlink{}: stop that one, or give another --database",
        .file.display(),
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Held {
        /// The database.
        file: PathBuf,
        /// Who works with it.
        pid: Option<u32>,
    },
    /// It is something else.
    #[error(
        "`{}` is {what}, and no flower-superlink made it: it is left untouched; give another file",
        .file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// A newer program made it.
    #[error(
        "`{}` has schema version {found}, and this flower-superlink knows versions up to {known}: it is left untouched; use the newer flower-superlink, {}",
        .file.display(),
        .copy.as_ref().map_or("or another --database".to_owned(), |copy| format!(
            "or the copy of before its update, --database {}",
            copy.display()
        ))
    )]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version known here.
        known: i64,
        /// The copy that was kept for this program, if there is one.
        copy: Option<PathBuf>,
    },
    /// The copy that is made before older programs are shut out could not be made.
    #[error(
        "`{}` needs schema version {version}, and the copy of it that is kept for earlier versions of flower-superlink, `{}`, could not be written: nothing is changed; make space for the copy, and start again",
        .file.display(), .copy.display()
    )]
    NotCopied {
        /// The database.
        file: PathBuf,
        /// Where the copy would be.
        copy: PathBuf,
        /// The version that the database was to be brought to.
        version: i64,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its content contradicts itself.
    #[error(
        "`{}` is damaged ({problem}): it is left untouched; restore it from a backup, or give another --database",
        .file.display()
    )]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What SQLite says.
        problem: String,
    },
    /// The system, or SQLite, does not open or write it.
    #[error("could not open `{}`", .file.display())]
    Failed {
        /// The database.
        file: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// That this process alone works with a database, for as long as it is kept.
#[derive(Debug)]
pub(in crate::store) struct Hold(
    #[expect(dead_code, reason = "its end is what ends the hold")] File,
);

/// Takes hold of the database; its directory is made (0700) if it is missing.
pub(in crate::store) fn hold(database: &Path) -> Result<Hold, OpenError> {
    let failed = |error: io::Error| failed(database, error);
    if let Some(dir) = database.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        private_files::create_dir(dir).map_err(failed)?;
    }
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(beside(database, "lock"))
        .map_err(failed)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        let _ = lock.read_to_string(&mut pid);
        return Err(OpenError::Held {
            file: database.to_owned(),
            pid: pid.trim().parse().ok(),
        });
    }
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(Hold(lock))
}

/// `<database>.<ending>`.
pub(in crate::store) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Whether there is something at all, and SQLite's.
pub(in crate::store) fn exists(database: &Path) -> Result<bool, OpenError> {
    let file = || database.to_owned();
    let mut start = [0; 16];
    match File::open(database).and_then(|mut open| read_start(&mut open, &mut start)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(database, error)),
        // Made by `mktemp`, or by a SuperLink that was killed before its first commit.
        Ok(0) => Ok(false),
        Ok(_) if &start != MAGIC => {
            let what = "not a SQLite database";
            Err(OpenError::Foreign { file: file(), what })
        }
        Ok(_) => Ok(true),
    }
}

/// Checks an existing database without writing to it.
pub(super) fn inspect(database: &Path) -> Result<(), OpenError> {
    if !exists(database)? {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(database, flags).map_err(|error| damaged(database, &error))?;
    if identify(&connection, database)? == Kind::Empty {
        return Ok(());
    }
    match first_problem(&connection).map_err(|error| damaged(database, &error))? {
        None => Ok(()),
        Some(problem) => Err(OpenError::Damaged {
            file: database.to_owned(),
            problem,
        }),
    }
}

/// What a database is that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing was written to it yet.
    Empty,
    /// A SuperLink's, of a version that this program works with.
    Ours,
}

/// Whether a database is ours, and of a version that this program works with.
pub(super) fn identify(connection: &Connection, database: &Path) -> Result<Kind, OpenError> {
    let file = || database.to_owned();
    let damaged = |error: rusqlite::Error| damaged(database, &error);
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (
        number("application_id").map_err(damaged)?,
        number("user_version").map_err(damaged)?,
    );
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(damaged)?;
    if (application, found, objects) == (0, 0, 0) {
        return Ok(Kind::Empty);
    }
    if application != i64::from(APPLICATION) {
        let what = "another program's SQLite database";
        return Err(OpenError::Foreign { file: file(), what });
    }
    if !migration::is_allowed(connection, found) {
        return Err(OpenError::Newer {
            file: file(),
            found,
            known: migration::VERSION,
            copy: migration::copy_for_us(database),
        });
    }
    Ok(Kind::Ours)
}

fn damaged(database: &Path, error: &rusqlite::Error) -> OpenError {
    OpenError::Damaged {
        file: database.to_owned(),
        problem: error.to_string(),
    }
}

fn read_start(file: &mut File, start: &mut [u8; 16]) -> io::Result<usize> {
    let mut read = 0;
    while read < start.len() {
        match file.read(&mut start[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

pub(super) fn first_problem(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let told: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((told != "ok").then_some(told))
}

/// Opens the database to write to it, making it where there is none, and brings it up to date.
pub(super) fn open(database: &Path) -> Result<Connection, OpenError> {
    create_private(database).map_err(|error| failed(database, error))?;
    if !exists(database)? {
        create(database)?;
    }
    let mut connection =
        Connection::open_with_flags(database, WRITE).map_err(|error| failed(database, error))?;
    migration::keep_copy(&connection, database)?;
    prepare(&mut connection).map_err(|error| OpenError::Failed {
        file: database.to_owned(),
        source: error,
    })?;
    Ok(connection)
}

/// Makes a database that is complete from the moment it has its name. SQLite writes a new database
/// in several transactions: a power cut or a kill between them would leave one that the next start
/// takes for damaged.
fn create(database: &Path) -> Result<(), OpenError> {
    // The file is there, and empty. It may be reached through a link, which stays.
    let target = database.canonicalize();
    let target = target.map_err(|error| failed(database, error))?;
    let fresh = beside(&target, "new");
    let made = remove_rest(&fresh).and_then(|()| create_private(&fresh));
    made.map_err(|error| failed(&fresh, error))?;
    let opened = Connection::open_with_flags(&fresh, WRITE);
    let mut connection = opened.map_err(|error| failed(&fresh, error))?;
    prepare(&mut connection).map_err(|source| OpenError::Failed {
        file: fresh.clone(),
        source,
    })?;
    // The last connection brings everything into the file, and removes the other files.
    let closed = connection.close();
    closed.map_err(|(_, error)| failed(&fresh, error))?;
    fs::rename(&fresh, &target)
        .and_then(|()| private_files::sync_dir(target.parent().unwrap_or(&target)))
        .map_err(|error| failed(database, error))
}

/// Removes what a crash left of a database that was being made.
pub(super) fn remove_rest(fresh: &Path) -> io::Result<()> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut path = fresh.as_os_str().to_owned();
        path.push(ending);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Opens an existing database to look at it.
pub(super) fn open_to_read(database: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(database, flags);
    opened.map_err(|error| failed(database, error))
}

fn prepare(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let is_converted = gives_back(connection)? || holds_nothing(connection)?;
    // It has a meaning only before the first table, or before VACUUM.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    tune(connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    mark(connection)?;
    migration::migrate(connection)?;
    // A database that was restored from a dump.
    if !is_converted && used(connection)? <= CHEAP_BYTES {
        connection.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// Marks the database as ours. Marking it again writes a page all the same.
pub(super) fn mark(connection: &Connection) -> StateResult<()> {
    Ok(connection.pragma_update(None, "application_id", APPLICATION)?)
}

/// Whether free pages can be given back to the file system.
pub(super) fn gives_back(connection: &Connection) -> rusqlite::Result<bool> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    Ok(mode == INCREMENTAL)
}

fn holds_nothing(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)";
    connection.query_row(tables, [], |row| row.get(0))
}

/// Bytes of the pages that hold something.
pub(super) fn used(connection: &Connection) -> StateResult<u64> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(pages * number("page_size")?)
}

/// What all connections have in common.
pub(super) fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -8192)
}

/// Models and keys pass through it: nobody else reads it.
pub(super) fn create_private(database: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(database)
        .map(drop)
}

pub(super) fn failed(
    database: &Path,
    error: impl std::error::Error + Send + Sync + 'static,
) -> OpenError {
    OpenError::Failed {
        file: database.to_owned(),
        source: Box::new(error),
    }
}
