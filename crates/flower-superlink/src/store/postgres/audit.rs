//! What `--check-state` reads of a database: which names it uses, and whether its rows agree.

use std::collections::HashSet;

use deadpool_postgres::Object;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use tokio_postgres::Row;

use super::reader::reading;
use super::unit::Tx;
use super::{PostgresState, identity, reader, row, schema};
use crate::link::state::{BlobName, StateResult};
use crate::store::blobs::by_id;
use crate::store::{FABS, OBJECTS};

/// What would be wrong, and how many rows it is wrong of. What a rule counts of other rows, it counts
/// once for all rows.
pub(super) const RULES: [(&str, &str); 10] = [
    (
        "runs that count other metric points than they have",
        "SELECT count(*) FROM run LEFT JOIN (
             SELECT run AS id, count(*) AS number FROM metric_point GROUP BY run
           ) AS had USING (id)
         WHERE points <> coalesce(had.number, 0)",
    ),
    (
        "names that are used and garbage",
        "SELECT count(*) FROM blob JOIN garbage USING (key)",
    ),
    (
        "names that no object uses",
        "SELECT count(*) FROM blob WHERE NOT is_fab AND NOT EXISTS (
           SELECT 1 FROM object WHERE object.run = blob.run AND object.id = blob.id
             AND object.blob = blob.key AND available)",
    ),
    (
        "names that no unfinished run uses",
        "SELECT count(*) FROM blob WHERE is_fab AND NOT EXISTS (
           SELECT 1 FROM run WHERE run.id = blob.run AND fab_blob = blob.key
             AND finished_at IS NULL)",
    ),
    (
        "objects whose name is not known",
        "SELECT count(*) FROM object WHERE blob IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.key = object.blob)",
    ),
    (
        "bytes in the database that no object has",
        "SELECT count(*) FROM inline WHERE NOT EXISTS (
           SELECT 1 FROM object WHERE object.run = inline.run AND object.id = inline.id
             AND available AND object.blob IS NULL)",
    ),
    (
        "open instructions that count other objects as missing than they wait for",
        "SELECT count(*) FROM instruction LEFT JOIN (
             SELECT run, message AS id, count(*) AS number FROM awaited GROUP BY run, message
           ) AS waits USING (run, id)
         WHERE missing <> coalesce(waits.number, 0)
           AND NOT EXISTS (SELECT 1 FROM reply WHERE reply.run = instruction.run
             AND reply.id = instruction.reply AND reply.missing = 0)",
    ),
    (
        "replies that count other objects as missing than they wait for",
        "SELECT count(*) FROM reply LEFT JOIN (
             SELECT run, message AS id, count(*) AS number FROM awaited GROUP BY run, message
           ) AS waits USING (run, id)
         WHERE missing <> coalesce(waits.number, 0)",
    ),
    (
        "objects that are here and awaited",
        "SELECT count(*) FROM awaited JOIN object
           ON object.run = awaited.run AND object.id = awaited.object WHERE available",
    ),
    (
        "objects that count others that need them",
        "SELECT count(*) FROM object LEFT JOIN (
             SELECT run, substring(children FROM child * 32 + 1 FOR 32) AS id, count(*) AS number
             FROM object
             CROSS JOIN LATERAL generate_series(0, octet_length(children) / 32 - 1) AS child
             GROUP BY 1, 2
           ) AS parents USING (run, id)
         WHERE referrers <> coalesce(parents.number, 0)
           + (SELECT count(*) FROM instruction WHERE instruction.run = object.run
                AND instruction.id = object.id AND NOT EXISTS (
                  SELECT 1 FROM reply WHERE reply.run = instruction.run
                    AND reply.id = instruction.reply AND reply.missing = 0))
           + (SELECT count(*) FROM reply WHERE reply.run = object.run AND reply.id = object.id)",
    ),
];

/// A name that is used, also of what a SuperLink of schema version 1 has stored.
#[derive(Debug, Clone)]
pub(in crate::store) struct Used {
    pub(in crate::store) name: BlobName,
    pub(in crate::store) run: RunId,
    /// The SHA-256 of the bytes.
    pub(in crate::store) id: ObjectId,
}

/// What a database notes of bytes.
#[derive(Debug)]
pub(in crate::store) struct Notes {
    /// The state, by a name that no other has.
    pub(in crate::store) id: String,
    /// The database, by a name that no other has.
    pub(in crate::store) database: String,
    /// What is stored, for people.
    pub(in crate::store) summary: String,
    pub(in crate::store) used: Vec<Used>,
    pub(in crate::store) garbage: HashSet<String>,
    /// Objects whose bytes in the database are not theirs.
    pub(in crate::store) flawed: Vec<(RunId, ObjectId)>,
    /// Rows that do not agree.
    pub(in crate::store) problems: Vec<String>,
}

/// What there is to read.
#[derive(Debug)]
pub(in crate::store) enum Found {
    /// No state.
    Nothing,
    /// A state of an earlier version of the schema.
    Older(i32),
    Notes(Box<Notes>),
}

/// Reads the notes, as they are in one moment.
pub(super) async fn read(connection: &mut Object) -> StateResult<Found> {
    let tx = reader::snapshot(connection).await?;
    // To read everything may take longer than a call may.
    tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let sql = "SELECT to_regclass('schema_version') IS NOT NULL";
    if !row::get(&tx.query_one(sql, &[]).await?, 0)? {
        return Ok(Found::Nothing);
    }
    let (version, _) = schema::version(&tx).await?;
    if version < schema::VERSION {
        return Ok(Found::Older(version));
    }
    let Some(id) = tx.query_opt("SELECT id FROM state", &[]).await? else {
        return Ok(Found::Nothing);
    };
    let notes = Notes {
        id: row::get(&id, 0)?,
        database: identity::of(&tx).await?,
        summary: summary(&tx).await?,
        used: used(&tx).await?,
        garbage: garbage(&tx).await?,
        flawed: flawed(&tx).await?,
        problems: problems(&tx).await?,
    };
    tx.commit().await?;
    Ok(Found::Notes(Box::new(notes)))
}

async fn summary(tx: &Tx<'_>) -> StateResult<String> {
    let sql = "SELECT (SELECT count(*) FROM node), (SELECT count(*) FROM run),
                 (SELECT count(*) FROM instruction), (SELECT count(*) FROM reply),
                 (SELECT count(*) FROM object)";
    let found = tx.query_one(sql, &[]).await?;
    let count = |column| row::count(&found, column);
    Ok(format!(
        "{} nodes, {} runs, {} instructions, {} replies, {} objects",
        count(0)?,
        count(1)?,
        count(2)?,
        count(3)?,
        count(4)?
    ))
}

/// Objects whose bytes a SuperLink of schema version 1 has stored.
const OBJECTS_BY_ID: &str = "SELECT run, id FROM object WHERE available AND blob IS NULL
       AND NOT EXISTS (SELECT 1 FROM inline
                       WHERE inline.run = object.run AND inline.id = object.id)";
/// Its FABs.
const FABS_BY_ID: &str =
    "SELECT id, fab_hash FROM run WHERE fab_blob IS NULL AND finished_at IS NULL";

async fn used(tx: &Tx<'_>) -> StateResult<Vec<Used>> {
    let sql = "SELECT key, size, run, id FROM blob ORDER BY key";
    let read = |row: &Row| {
        Ok(Used {
            name: BlobName {
                key: row::get(row, 0)?,
                size: row::count(row, 1)?,
            },
            run: RunId(row::id(row, 2)?),
            id: row::object_id(row, 3)?,
        })
    };
    let named = tx.query(sql, &[]).await?;
    let mut used = named.iter().map(read).collect::<StateResult<Vec<_>>>()?;
    for found in tx.query(OBJECTS_BY_ID, &[]).await? {
        let (run, id) = (RunId(row::id(&found, 0)?), row::object_id(&found, 1)?);
        let name = by_id(OBJECTS, &id);
        used.push(Used { name, run, id });
    }
    for found in tx.query(FABS_BY_ID, &[]).await? {
        // What is no hash was never stored.
        if let Ok(id) = row::text(&found, 1)?.parse() {
            let (run, name) = (RunId(row::id(&found, 0)?), by_id(FABS, &id));
            used.push(Used { name, run, id });
        }
    }
    Ok(used)
}

/// Whether any bytes are used that do not stand in the database.
async fn uses_bytes(tx: &Tx<'_>) -> StateResult<bool> {
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM blob) OR EXISTS ({OBJECTS_BY_ID}) OR EXISTS ({FABS_BY_ID})"
    );
    row::get(&tx.query_one(&sql, &[]).await?, 0)
}

async fn garbage(tx: &Tx<'_>) -> StateResult<HashSet<String>> {
    let rows = tx.query("SELECT key FROM garbage", &[]).await?;
    rows.iter().map(|found| row::get(found, 0)).collect()
}

async fn flawed(tx: &Tx<'_>) -> StateResult<Vec<(RunId, ObjectId)>> {
    let sql = "SELECT run, id FROM inline WHERE sha256(bytes) <> id";
    let key = |row: &Row| Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?));
    tx.query(sql, &[]).await?.iter().map(key).collect()
}

/// Recomputes from the rows what other rows say.
pub(super) async fn problems(tx: &Tx<'_>) -> StateResult<Vec<String>> {
    let mut problems = Vec::new();
    for (wrong, sql) in RULES {
        let number = row::count(&tx.query_one(sql, &[]).await?, 0)?;
        if number > 0 {
            problems.push(format!("the database has {number} {wrong}"));
        }
    }
    Ok(problems)
}

impl PostgresState {
    /// What the database notes, read by who works with it.
    pub(in crate::store) async fn notes(&self) -> StateResult<Found> {
        read(&mut self.pool.get().await?).await
    }

    /// The names that are used.
    pub(in crate::store) async fn used_names(&self) -> StateResult<Vec<Used>> {
        reading!(self, tx => used(tx))
    }

    /// Whether the state counts on bytes that do not stand in the database.
    pub(in crate::store) async fn uses_bytes(&self) -> StateResult<bool> {
        reading!(self, tx => uses_bytes(tx))
    }
}
