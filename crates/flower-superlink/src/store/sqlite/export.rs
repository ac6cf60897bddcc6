//! A database that is read from its first row to its last, to be brought elsewhere. It is proven whole and
//! held meanwhile, and nothing in it changes: an older database is brought up to date in a copy.

use std::io;
use std::path::{Path, PathBuf};

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};
use thiserror::Error;

use super::audit::Audit;
use super::file::{self, Hold, Kind, OpenError};
use super::migration;
use super::row::signed;
use super::snapshot::{self, SnapshotError};
use crate::link::state::{BlobName, StateError};
use crate::store::check::Expected;
use crate::store::tables::{ADOPTER, NAMED, Table, Value};

/// What is noted while the database is read, in tables that last as long as the connection.
const NOTES: &str = "CREATE TEMP TABLE named (
       run INTEGER NOT NULL,
       id BLOB NOT NULL,
       is_fab INTEGER NOT NULL,
       key TEXT NOT NULL,
       size INTEGER NOT NULL,
       PRIMARY KEY (run, is_fab, id)
     ) STRICT, WITHOUT ROWID;
     CREATE TEMP TABLE adopter (name TEXT) STRICT;";
/// How the name of a copy ends.
const COPY: &str = "importing";

/// Why a database is not brought elsewhere.
#[derive(Debug, Error)]
pub(in crate::store) enum ExportError {
    /// Nothing is there, or nothing was written.
    #[error("there is no state")]
    Nothing,
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its rows do not fit together: how many times, and the first.
    #[error("{0} problems, the first: {1}")]
    Problems(usize, String),
    /// The copy in which an older database is brought up to date.
    #[error("`{}` could not be written", .0.display())]
    Copy(PathBuf, #[source] io::Error),
    /// Its rows cannot be read.
    #[error(transparent)]
    Unread(#[from] Unread),
}

/// Rows that cannot be read.
#[derive(Debug, Error)]
#[error("its rows could not be read")]
pub(in crate::store) struct Unread(#[source] StateError);

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.into())
    }
}

/// A database that is read.
#[derive(Debug)]
pub(in crate::store) struct Export {
    connection: Connection,
    id: String,
    expected: Expected,
    _hold: Hold,
    _copy: Option<Copy>,
}

impl Export {
    /// Takes hold of a database. It blocks.
    pub(in crate::store) fn open(database: &Path) -> Result<Self, ExportError> {
        // Before a lock is made beside a file that is not there.
        if !file::exists(database)? {
            return Err(ExportError::Nothing);
        }
        let looked_at = file::open_to_read(database)?;
        if file::identify(&looked_at, database)? == Kind::Empty {
            return Err(ExportError::Nothing);
        }
        drop(looked_at);
        let audit = Audit::open(database, false)?;
        let problems = audit.problems(false).map_err(Unread)?;
        if let Some(first) = problems.first() {
            return Err(ExportError::Problems(problems.len(), first.text.clone()));
        }
        let expected = audit.expected().map_err(Unread)?;
        let Audit {
            connection,
            id,
            _hold,
        } = audit;
        let is_older = migration::version(&connection).map_err(Unread::from)? < migration::VERSION;
        let (connection, copy) = match is_older {
            false => (connection, None),
            true => {
                let copy = Copy::of(database)?;
                (copy.brought_up_to_date()?, Some(copy))
            }
        };
        connection.execute_batch(NOTES).map_err(Unread::from)?;
        Ok(Self {
            connection,
            id,
            expected,
            _hold,
            _copy: copy,
        })
    }

    /// The name of the state.
    pub(in crate::store) fn id(&self) -> &str {
        &self.id
    }

    /// The objects and FABs whose bytes it counts on.
    pub(in crate::store) const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Notes the SuperLink that may adopt processes.
    pub(in crate::store) fn note_adopter(&self, name: Option<&str>) -> Result<(), Unread> {
        self.connection
            .execute(&format!("INSERT INTO {ADOPTER} VALUES (?)"), [name])?;
        Ok(())
    }

    /// Notes where bytes stand from now on.
    pub(in crate::store) fn note_name(
        &self,
        (run, id, is_fab): (RunId, ObjectId, bool),
        name: &BlobName,
    ) -> Result<(), Unread> {
        let sql =
            format!("INSERT INTO {NAMED} (run, id, is_fab, key, size) VALUES (?, ?, ?, ?, ?)");
        let mut insert = self.connection.prepare_cached(&sql)?;
        insert.execute(params![
            signed(run),
            id.as_bytes(),
            is_fab,
            name.key,
            name.size
        ])?;
        Ok(())
    }

    /// Does something with each row of a table.
    pub(in crate::store) async fn each<E: From<Unread>>(
        &self,
        table: &Table,
        mut take: impl AsyncFnMut(Vec<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns: Vec<_> = table.columns.iter().map(|column| column.from).collect();
        let (from, order) = (table.from, table.order);
        let sql = format!("SELECT {} FROM {from}{order}", columns.join(", "));
        let mut select = self.connection.prepare(&sql).map_err(Unread::from)?;
        let mut rows = select.query([]).map_err(Unread::from)?;
        while let Some(row) = rows.next().map_err(Unread::from)? {
            take(values(row, columns.len())?).await?;
        }
        Ok(())
    }
}

fn values(row: &Row<'_>, number: usize) -> Result<Vec<Value>, Unread> {
    let value = |column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
            // What is no UTF-8 is refused.
            ValueRef::Text(_) => Value::Text(row.get(column)?),
        })
    };
    (0..number).map(value).collect()
}

/// A copy of an older database, which goes at the end.
#[derive(Debug)]
struct Copy(PathBuf);

impl Copy {
    fn of(database: &Path) -> Result<Self, ExportError> {
        let copy = Self(file::beside(database, COPY));
        // What a killed import has left.
        let cleared = copy.remove();
        cleared.map_err(|error| ExportError::Copy(copy.0.clone(), error))?;
        match snapshot::copy(database, &copy.0) {
            Ok(()) => Ok(copy),
            Err(SnapshotError::Source(error)) => Err(error.into()),
            Err(SnapshotError::Copy(error)) => Err(ExportError::Copy(copy.0.clone(), error)),
        }
    }

    fn brought_up_to_date(&self) -> Result<Connection, ExportError> {
        let failed = |error| ExportError::Copy(self.0.clone(), io::Error::other(error));
        let mut connection = Connection::open_with_flags(&self.0, file::WRITE).map_err(failed)?;
        migration::migrate(&mut connection).map_err(failed)?;
        Ok(connection)
    }

    fn remove(&self) -> io::Result<()> {
        file::remove_rest(&self.0)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Best effort: the next import removes the rest.
        let _ = self.remove();
    }
}
