//! Where the bytes of objects and FABs stand: in the table `inline`, or under names in a store beside
//! the database. A name that was noted is in `blob` while something uses it, and in `garbage` from
//! the very transaction on in which that ended, until its bytes are deleted.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::Phase;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::objects::Object;
use super::row::{self, Key, signed};
use super::runs;
use super::unit::Tx;
use crate::link::state::{Blob, BlobName, ObjectEntry, StateResult};

/// The bytes that a transaction takes in and lets go.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    /// Bytes that come into the database, and those that go.
    inline: HashMap<Key, Bytes>,
    inline_gone: HashSet<Key>,
    /// Names that are used from now on, with their sizes.
    named: HashMap<String, (Key, u64)>,
    /// Names in the table `blob` that nothing uses any more.
    freed: Vec<String>,
    /// Names that nothing has used.
    refused: Vec<BlobName>,
}

impl Blobs {
    /// The bytes of an object are here. Gives their name, if they have one.
    pub(super) fn take_in(&mut self, key: Key, blob: &Blob) -> Option<String> {
        match blob {
            Blob::OfId => None,
            Blob::Inline(bytes) => {
                self.inline.insert(key, bytes.clone());
                None
            }
            Blob::Named(name) => {
                self.named.insert(name.key.clone(), (key, name.size));
                Some(name.key.clone())
            }
        }
    }

    /// An object goes whose bytes are here.
    pub(super) fn let_go(&mut self, key: Key, object: &Object) {
        let Some(name) = &object.blob else {
            if self.inline.remove(&key).is_none() {
                self.inline_gone.insert(key);
            }
            return;
        };
        match self.named.remove(name) {
            Some((_, size)) => self.refused.push(BlobName {
                key: name.clone(),
                size,
            }),
            None => self.freed.push(name.clone()),
        }
    }

    /// Bytes came that nobody needs.
    pub(super) fn refuse(&mut self, blob: &Blob) {
        if let Blob::Named(name) = blob {
            self.refused.push(name.clone());
        }
    }

    pub(super) async fn write(&self, tx: &Tx<'_>) -> StateResult<()> {
        self.write_inline(tx).await?;
        let mut named: Vec<_> = self.named.iter().collect();
        named.sort_unstable();
        if !named.is_empty() {
            const SQL: &str = "INSERT INTO blob (key, run, id, size, is_fab)
                 SELECT *, false FROM unnest($1::text[], $2::int8[], $3::bytea[], $4::int8[])";
            let keys: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
            let (runs, ids) = row::columns(named.iter().map(|(_, (key, _))| key));
            let sizes: Vec<_> = named.iter().map(|(_, (_, size))| number(*size)).collect();
            execute(tx, SQL, &[&keys, &runs, &ids, &sizes]).await?;
        }
        if !self.freed.is_empty() {
            const SQL: &str =
                "WITH gone AS (DELETE FROM blob WHERE key = ANY($1) RETURNING key, size)
                 INSERT INTO garbage (key, size) SELECT key, size FROM gone";
            execute(tx, SQL, &[&self.freed]).await?;
        }
        if !self.refused.is_empty() {
            const SQL: &str = "INSERT INTO garbage (key, size)
                 SELECT * FROM unnest($1::text[], $2::int8[])";
            let keys: Vec<_> = self.refused.iter().map(|name| name.key.as_str()).collect();
            let sizes: Vec<_> = self.refused.iter().map(|name| number(name.size)).collect();
            execute(tx, SQL, &[&keys, &sizes]).await?;
        }
        Ok(())
    }

    /// Bytes that go, go first: the same object may come again.
    async fn write_inline(&self, tx: &Tx<'_>) -> StateResult<()> {
        if !self.inline_gone.is_empty() {
            const SQL: &str =
                "DELETE FROM inline USING unnest($1::int8[], $2::bytea[]) AS gone (run, id)
                 WHERE inline.run = gone.run AND inline.id = gone.id";
            let mut gone: Vec<_> = self.inline_gone.iter().collect();
            gone.sort_unstable();
            let (runs, ids) = row::columns(gone);
            execute(tx, SQL, &[&runs, &ids]).await?;
        }
        if !self.inline.is_empty() {
            const SQL: &str = "INSERT INTO inline (run, id, bytes)
                 SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[])";
            let (runs, ids) = row::columns(self.inline.keys());
            let bytes: Vec<&[u8]> = self.inline.values().map(AsRef::as_ref).collect();
            execute(tx, SQL, &[&runs, &ids, &bytes]).await?;
        }
        Ok(())
    }
}

async fn execute(tx: &Tx<'_>, sql: &str, values: &[&(dyn ToSql + Sync)]) -> StateResult<()> {
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(&statement, values).await?;
    Ok(())
}

fn number(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The bytes of a run's objects go. Those of the FAB go with the run's end.
pub(super) async fn clear(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    const NAMED: &str = "WITH gone AS (
           DELETE FROM blob WHERE run = $1 AND (NOT is_fab OR EXISTS
             (SELECT 1 FROM run WHERE id = $1 AND finished_at IS NOT NULL))
           RETURNING key, size
         )
         INSERT INTO garbage (key, size) SELECT key, size FROM gone";
    for sql in [NAMED, "DELETE FROM inline WHERE run = $1"] {
        execute(tx, sql, &[&signed(run)]).await?;
    }
    Ok(())
}

/// Notes where the FAB of a new run stands.
pub(super) async fn add_fab(
    tx: &Tx<'_>,
    run: RunId,
    hash: &[u8],
    name: &BlobName,
) -> StateResult<()> {
    const BLOB: &str =
        "INSERT INTO blob (key, run, id, size, is_fab) VALUES ($1, $2, $3, $4, true)";
    let size = number(name.size);
    execute(tx, BLOB, &[&name.key, &signed(run), &hash, &size]).await?;
    const RUN: &str = "UPDATE run SET fab_blob = $1 WHERE id = $2";
    execute(tx, RUN, &[&name.key, &signed(run)]).await
}

/// Where a FAB stands that an unfinished run is made from.
pub(super) async fn of_fab(tx: &Tx<'_>, hash: &str) -> StateResult<Option<Blob>> {
    const SQL: &str =
        "SELECT blob.key, blob.size FROM run LEFT JOIN blob ON blob.key = run.fab_blob
         WHERE fab_hash = $1 AND finished_at IS NULL ORDER BY blob.key LIMIT 1";
    let select = tx.prepare_cached(SQL).await?;
    let found = tx.query_opt(&select, &[&row::escaped(hash)]).await?;
    found
        .map(|found| Ok(name(&found, 0)?.map_or(Blob::OfId, Blob::Named)))
        .transpose()
}

/// An object of a running run, with where its bytes stand.
pub(super) async fn entry(
    tx: &Tx<'_>,
    run: RunId,
    object: ObjectId,
) -> StateResult<Option<ObjectEntry>> {
    const SQL: &str =
        "SELECT phase, children, available, blob.key, blob.size, inline.bytes FROM run
         LEFT JOIN object ON object.run = run.id AND object.id = $2
         LEFT JOIN blob ON blob.key = object.blob
         LEFT JOIN inline ON inline.run = object.run AND inline.id = object.id
         WHERE run.id = $1";
    let select = tx.prepare_cached(SQL).await?;
    let id = &object.as_bytes()[..];
    let found = tx.query_opt(&select, &[&signed(run), &id]).await?;
    let found = found.ok_or(Refusal::UnknownRun(run))?;
    match runs::read_phase(&found, 0)? {
        Phase::Running => {}
        phase => return Err(Refusal::RunIs { run, phase }.into()),
    }
    let Some(children) = row::get::<Option<&[u8]>>(&found, 1)? else {
        return Ok(None);
    };
    let inline: Option<&[u8]> = row::get(&found, 5)?;
    let blob = match (name(&found, 3)?, inline) {
        _ if !row::get(&found, 2)? => None,
        (Some(name), _) => Some(Blob::Named(name)),
        (None, Some(bytes)) => Some(Blob::Inline(Bytes::copy_from_slice(bytes))),
        (None, None) => Some(Blob::OfId),
    };
    let children = row::ids(children);
    Ok(Some(ObjectEntry { children, blob }))
}

/// A name, if there is one, with its size in the next column.
fn name(row: &Row, column: usize) -> StateResult<Option<BlobName>> {
    let Some(key) = row::get::<Option<String>>(row, column)? else {
        return Ok(None);
    };
    let size = row::count(row, column + 1)?;
    Ok(Some(BlobName { key, size }))
}

/// Names that nothing has used for this long, the oldest first.
pub(super) async fn garbage(
    tx: &Tx<'_>,
    age: Duration,
    limit: usize,
) -> StateResult<Vec<BlobName>> {
    const SQL: &str = "SELECT key, size FROM garbage
         WHERE since <= clock_timestamp() - make_interval(secs => $1) ORDER BY since LIMIT $2";
    let select = tx.prepare_cached(SQL).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = tx.query(&select, &[&age.as_secs_f64(), &limit]).await?;
    let names = rows
        .iter()
        .map(|row| name(row, 0))
        .collect::<StateResult<Vec<_>>>();
    Ok(names?.into_iter().flatten().collect())
}

/// The bytes of these names are deleted.
pub(super) async fn swept(tx: &Tx<'_>, names: &[String]) -> StateResult<()> {
    execute(tx, "DELETE FROM garbage WHERE key = ANY($1)", &[&names]).await
}

/// The bytes of these names could not be deleted: they become the youngest.
pub(super) async fn not_swept(tx: &Tx<'_>, names: &[String]) -> StateResult<()> {
    const SQL: &str = "UPDATE garbage SET since = clock_timestamp() WHERE key = ANY($1)";
    execute(tx, SQL, &[&names]).await
}

/// Those of the names that stand in no table.
pub(super) async fn unknown(tx: &Tx<'_>, names: &[String]) -> StateResult<Vec<String>> {
    const SQL: &str = "SELECT asked.key FROM unnest($1::text[]) AS asked (key)
         WHERE NOT EXISTS (SELECT 1 FROM blob WHERE blob.key = asked.key)
           AND NOT EXISTS (SELECT 1 FROM garbage WHERE garbage.key = asked.key)";
    let select = tx.prepare_cached(SQL).await?;
    let rows = tx.query(&select, &[&names]).await?;
    rows.iter().map(|row| row::get(row, 0)).collect()
}

/// Bytes under names that are used, of objects and of FABs, and under those that are not.
pub(super) async fn sizes(tx: &Tx<'_>) -> StateResult<(u64, u64, u64)> {
    const SQL: &str = "SELECT coalesce(sum(size) FILTER (WHERE NOT is_fab), 0)::int8,
           coalesce(sum(size) FILTER (WHERE is_fab), 0)::int8,
           (SELECT coalesce(sum(size), 0)::int8 FROM garbage) FROM blob";
    let select = tx.prepare_cached(SQL).await?;
    let found = tx.query_one(&select, &[]).await?;
    Ok((
        row::count(&found, 0)?,
        row::count(&found, 1)?,
        row::count(&found, 2)?,
    ))
}
