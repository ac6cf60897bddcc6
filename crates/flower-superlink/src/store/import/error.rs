//! Why a state is not imported.

use std::io;
use std::path::{Path, PathBuf};

use flwr_core::id::RunId;
use flwr_daemon::objects;
use thiserror::Error;

use crate::link::state::StateError;
use crate::store::place::StoreError;
use crate::store::postgres::PostgresUrl;
use crate::store::sqlite::{ExportError, OpenError};

/// Why a state is not imported. The database has no state then, but where that is said.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file, or memory.
    #[error("--import brings a state into PostgreSQL: give --database postgres://…")]
    NotPostgres,
    /// Nothing is there.
    #[error("--import: `{}` holds no state: give the file that the --database of the old SuperLink names", .0.display())]
    Nothing(PathBuf),
    /// A SuperLink works with the file.
    #[error("--import: `{}` is in use by a flower-superlink{}: stop that one first", .file.display(),
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The file.
        file: PathBuf,
        /// Who works with it.
        pid: Option<u32>,
    },
    /// A newer program made it.
    #[error(
        "--import: `{}` has schema version {found}, and this flower-superlink knows versions up to {known}: use the newer flower-superlink",
        .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version known here.
        known: i64,
    },
    /// Its content contradicts itself.
    #[error(
        "--import: `{}` is damaged ({problem}): `flower-superlink --check-state --database {}` tells what is wrong, and mends what can be mended with --repair; or import a restored backup",
        .file.display(), .file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong, or the first of that.
        problem: String,
    },
    /// It cannot be opened, or is something else.
    #[error("--import")]
    File(#[source] OpenError),
    /// The copy in which an older file is brought up to date.
    #[error("--import: the copy in which an older file is brought up to date, `{}`, could not be written: make space for the copy", .0.display())]
    Copy(PathBuf, #[source] io::Error),
    /// Its rows cannot be read.
    #[error("--import: `{}`", .0.display())]
    Unread(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its rows do not fit together, as PostgreSQL sees them.
    #[error("--import: the rows of `{}` do not fit together: {}; nothing was imported", .0.display(), .1.join("; "))]
    Problems(PathBuf, Vec<String>),
    /// The files of the old state would become the files of the new.
    #[error("--storage-dir: `{}` holds the files of the imported state: give another directory", .0.display())]
    SameStorage(PathBuf),
    /// No files where they should be.
    #[error("there are no FABs and objects at `{}`: name the --storage-dir of the old SuperLink by --import-storage-dir", .0.display())]
    NoStorage(PathBuf),
    /// Files of another state.
    #[error(
        "`{}` holds the objects of another state ({found}): name the --storage-dir of the old SuperLink by --import-storage-dir", .dir.display()
    )]
    OtherStorage {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// A file that the state counts on.
    #[error(
        "`{}` is {what}{}: if the files are elsewhere, name their directory by --import-storage-dir; otherwise `flower-superlink --check-state --repair --database {}` fails the runs that lost something, and all else can be imported",
        .path.display(), .run.map(|run| format!(", and run {run} needs it")).unwrap_or_default(), .database.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
        /// A run that needs it.
        run: Option<RunId>,
        /// The file of the state.
        database: PathBuf,
    },
    /// The system does not give a file.
    #[error("could not read `{}`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database has a state.
    #[error(
        "--database: {0} holds a state already: give a database that is new, or a schema of its own (?options=-c%20search_path%3DNAME)"
    )]
    Occupied(PostgresUrl),
    /// The database or the storage.
    #[error(transparent)]
    Place(#[from] StoreError),
    /// Bytes could not be stored.
    #[error("FABs and objects could not be stored")]
    Store(#[source] objects::Error),
    /// Rows could not be written.
    #[error("{address} could not be filled")]
    Rows {
        /// The database.
        address: PostgresUrl,
        /// Why.
        source: StateError,
    },
    /// It may be done.
    #[error(
        "{address} did not say whether it has committed the import: import again; if the database holds a state then, it has"
    )]
    Unanswered {
        /// The database.
        address: PostgresUrl,
        /// Why.
        source: StateError,
    },
}

impl ImportError {
    /// Marks an error of the imported file.
    pub(super) fn of_file(file: &Path) -> impl FnOnce(ExportError) -> Self {
        let file = file.to_owned();
        move |error| match error {
            ExportError::Nothing => Self::Nothing(file),
            ExportError::Problems(number, first) => Self::Damaged {
                file,
                problem: match number {
                    1 => first,
                    _ => format!("{number} problems, the first: {first}"),
                },
            },
            ExportError::Copy(copy, source) => Self::Copy(copy, source),
            ExportError::Unread(source) => Self::Unread(file, source.into()),
            ExportError::Open(error) => match error {
                OpenError::Held { file, pid } => Self::InUse { file, pid },
                OpenError::Newer {
                    file, found, known, ..
                } => Self::Newer { file, found, known },
                OpenError::Damaged { file, problem } => Self::Damaged { file, problem },
                other => Self::File(other),
            },
        }
    }

    /// Whether the flags are at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::NotPostgres | Self::SameStorage(_))
    }
}
