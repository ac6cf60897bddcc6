//! How a state in a file begins: the file proven and held, and what it counts on.

use std::path::Path;
use std::sync::Arc;

use flwr_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::reader::Reader;
use super::writer::Writer;
use super::{Kept, OpenError, SqliteState, file, migration, objects, runs, signs};
use crate::link::state::StateResult;

impl SqliteState {
    /// Opens the database, or makes it (0600). It blocks: call it before there is something to
    /// serve, or off the async workers.
    ///
    /// # Errors
    /// If somebody else works with the file, or it is not a database of this program and of a
    /// version that it knows. The file is untouched then.
    pub fn open(database: &Path, now: Timestamp) -> Result<Self, OpenError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Failed {
            file: database.to_owned(),
            source,
        };
        file::exists(database)?;
        let hold = file::hold(database)?;
        file::inspect(database)?;
        let connection = file::open(database)?;
        let id = link_id(&connection, now).map_err(|error| failed(error.into()))?;
        let presence = signs::load(&connection, now).map_err(|error| failed(error.into()))?;
        let kept = kept(&connection).map_err(|error| failed(error.into()))?;
        let reader = Reader::open(database).map_err(|error| failed(error.into()))?;
        let writer = Writer::start(connection).map_err(|error| failed(error.into()))?;
        Ok(Self {
            writer,
            reader,
            presence: Arc::new(presence),
            id,
            kept,
            _hold: hold,
        })
    }

    /// A name that no other state has.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the state counted on when it was opened.
    pub(in crate::store) fn kept(&self) -> Kept {
        self.kept.clone()
    }
}

fn kept(connection: &Connection) -> StateResult<Kept> {
    let fabs = runs::fabs(connection)?.into_iter();
    Ok(Kept {
        objects: objects::held(connection)?,
        fabs: fabs
            .filter_map(|(hash, runs)| Some((hash.parse().ok()?, runs)))
            .collect(),
    })
}

/// The name of this state, which it gets when it is made.
fn link_id(connection: &Connection, now: Timestamp) -> rusqlite::Result<String> {
    connection.execute(
        "INSERT INTO link (id, seen_at, oldest) SELECT lower(hex(randomblob(16))), ?, ?
         WHERE NOT EXISTS (SELECT 1 FROM link)",
        params![now.as_secs(), migration::OLDEST],
    )?;
    connection.query_row("SELECT id FROM link", [], |row| row.get(0))
}
