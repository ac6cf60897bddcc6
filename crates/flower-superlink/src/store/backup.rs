//! `--backup` and `--restore`: a folder with the state of one moment, and every object and FAB that
//! the state counts on.
//!
//! ```text
//! DIR/backup.json          which database file counts, with its hash; replaced by a rename
//! DIR/state-N.db           the database
//! DIR/objects/ab/abcd…     objects and FABs, named by their hash
//! DIR/fabs/ab/abcd…
//! DIR/owner, DIR/lock      whose backup it is; held while somebody writes or reads
//! ```
//! A new backup adds files, then replaces `backup.json`, and then removes what only the backup before
//! needed. Whoever kills it, or cuts the power, leaves one of the two backups whole.
//!
//! The SuperLink may serve meanwhile. SQLite copies the database of one moment, and deletions of
//! objects wait until all files are copied or linked ([`Pause`](flwr_daemon::objects::Pause)).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::owner::OwnerError;
use super::place::{Database, Places, Storage};
use super::postgres::PostgresUrl;
use super::sqlite::{OpenError, SnapshotError};

mod folder;
mod make;
mod manifest;
mod restore;
mod shelf;

use shelf::Tally;

/// What stands in a backup, or was restored from a backup.
#[derive(Debug)]
pub struct Saved {
    /// The version of the database's schema.
    pub schema: i64,
    /// Runs, the finished ones too.
    pub runs: u64,
    /// How objects and FABs came to their place.
    pub files: Tally,
    /// Objects and FABs that the state counts on, and that were lost or damaged before.
    pub missing: Vec<String>,
    /// When the backup was made, as text.
    pub made_at: String,
    /// How long deletions were postponed, for a backup.
    pub paused: Duration,
}

/// Why a backup is not made, or not restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// Nothing is kept.
    #[error("the state is in memory: a backup needs --database FILE")]
    InMemory,
    /// The database has tools of its own for that.
    #[error(
        "the state is in a {0}: stop the SuperLink, save the database with pg_dump, and copy the directory of --storage-dir or the bucket of --storage"
    )]
    Elsewhere(PostgresUrl),
    /// Nothing is there.
    #[error("there is no database at `{}`: give the --database of the SuperLink", .0.display())]
    NoDatabase(PathBuf),
    /// No folder with a backup.
    #[error("there is no backup in `{}`: `flower-superlink --backup DIR` makes one", .0.display())]
    NoBackup(PathBuf),
    /// Files of somebody else.
    #[error("`{}` has other files, and no backup: give an empty folder, or a name that is free", .0.display())]
    NotABackup(PathBuf),
    /// Objects that a SuperLink works with, or a copy of these.
    #[error(
        "`{}` is in the storage directory of a SuperLink, or is a copy of it: a backup would delete objects there. Give a folder elsewhere",
        .0.display()
    )]
    Storage(PathBuf),
    /// The backup of another SuperLink.
    #[error(
        "`{}` has the backup of another SuperLink (its state is {found}, this one is {wanted}): give each SuperLink a folder of its own",
        .dir.display()
    )]
    Other {
        /// The folder.
        dir: PathBuf,
        /// The state in the folder.
        found: String,
        /// The state to be saved.
        wanted: String,
    },
    /// Two at a time.
    #[error("`{}` is in use by another --backup or --restore: wait for its end", .0.display())]
    InUse(PathBuf),
    /// Another backup of the same database, in another folder.
    #[error("another backup of `{}` is under way: wait for its end", .0.display())]
    UnderWay(PathBuf),
    /// Bytes of the backup changed.
    #[error(
        "the backup in `{}` is damaged: `{}` {what}. Nothing was restored; use another backup",
        .dir.display(), .file.display()
    )]
    Damaged {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The list of the backup before cannot be read.
    #[error(
        "the backup in `{}` is damaged: `{}` {what}. Make a whole new one, without --incremental",
        .dir.display(), .file.display()
    )]
    NothingToAddTo {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A newer program made it.
    #[error(
        "the backup in `{}` has format {found}, and this flower-superlink knows formats up to {known}: use the flower-superlink that made it (version {made_by})",
        .dir.display()
    )]
    Newer {
        /// The folder.
        dir: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
        /// The version of the program that made it.
        made_by: String,
    },
    /// Something is where the state would be restored to.
    #[error(
        "`{}` is there already: a backup is restored to an empty place only. Move it away, or give another {flag}",
        .path.display()
    )]
    Occupied {
        /// What is there.
        path: PathBuf,
        /// The flag that names another place.
        flag: &'static str,
    },
    /// The state would be restored into the backup itself, whose folder the next backup tidies.
    #[error(
        "{flag} names a place in the backup `{}`: restore to a place elsewhere",
        .dir.display()
    )]
    IntoItself {
        /// The folder of the backup.
        dir: PathBuf,
        /// The flag that names the place.
        flag: &'static str,
    },
    /// The database, here or in the backup.
    #[error("--database")]
    Database(#[from] OpenError),
    /// The owner of the folder or of the storage directory.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The system does not let us.
    #[error("could not {action} `{}`", .path.display())]
    Failed {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BackupError {
    fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Failed {
            action,
            path,
            source,
        }
    }

    /// Of a copy of the database.
    fn of_copy(path: &Path) -> impl FnOnce(SnapshotError) -> Self + use<> {
        let failed = Self::failed("write", path);
        move |error| match error {
            SnapshotError::Source(source) => source.into(),
            SnapshotError::Copy(source) => failed(source),
        }
    }
}

impl Places {
    /// The files of a state that outlives its process.
    fn files(&self) -> Result<(&Path, &Path), BackupError> {
        match (&self.database, &self.storage) {
            (Database::File(database), Storage::Dir(storage)) => Ok((database, storage)),
            (Database::Postgres(address), _) => Err(BackupError::Elsewhere(address.clone())),
            _ => Err(BackupError::InMemory),
        }
    }
}

#[cfg(test)]
mod tests;
