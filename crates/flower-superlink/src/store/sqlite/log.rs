//! The log of a run: its latest pieces, within a bound.

use flwr_core::id::RunId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, signed};
use crate::link::state::{LogEntry, StateResult};
use crate::store::log::{MARKER, MAX_BYTES, STEP};

pub(super) fn append(
    connection: &Connection,
    run: RunId,
    text: &str,
    now: Timestamp,
) -> StateResult<()> {
    let mut last = connection.prepare_cached(
        "SELECT coalesce((SELECT max(at) FROM log WHERE run = id), log_dropped) FROM run
         WHERE id = ?",
    )?;
    let last = last.query_row([signed(run)], |row| row::moment(row, 0));
    let last = last.optional()?.ok_or(Refusal::UnknownRun(run))?;
    let at = last.map_or(now, |last| now.max(last + STEP));
    connection
        .prepare_cached("INSERT INTO log (run, at, text) VALUES (?, ?, ?)")?
        .execute(params![signed(run), at.as_secs(), text])?;
    let mut grown = connection.prepare_cached(
        "UPDATE run SET log_bytes = log_bytes + ? WHERE id = ? RETURNING log_bytes",
    )?;
    let bytes: usize = grown.query_row(params![text.len(), signed(run)], |row| row.get(0))?;
    drop_oldest(connection, run, bytes, at)
}

/// Drops the oldest pieces, but never the one at `newest`, until the log is within its bound.
fn drop_oldest(
    connection: &Connection,
    run: RunId,
    mut bytes: usize,
    newest: Timestamp,
) -> StateResult<()> {
    while bytes > MAX_BYTES {
        let mut oldest = connection.prepare_cached(
            "DELETE FROM log WHERE run = ?1 AND at = (SELECT min(at) FROM log WHERE run = ?1)
             AND at < ?2 RETURNING at, octet_length(text)",
        )?;
        let dropped = oldest.query_row(params![signed(run), newest.as_secs()], |row| {
            Ok((row.get::<_, f64>(0)?, row.get::<_, usize>(1)?))
        });
        let Some((at, length)) = dropped.optional()? else {
            return Ok(());
        };
        bytes = bytes.saturating_sub(length);
        connection
            .prepare_cached("UPDATE run SET log_bytes = ?, log_dropped = ? WHERE id = ?")?
            .execute(params![bytes, at, signed(run)])?;
    }
    Ok(())
}

pub(super) fn after(
    connection: &Connection,
    run: RunId,
    after: Timestamp,
) -> StateResult<Vec<LogEntry>> {
    let mut dropped = connection.prepare_cached("SELECT log_dropped FROM run WHERE id = ?")?;
    let dropped = dropped.query_row([signed(run)], |row| row::moment(row, 0));
    let dropped = dropped.optional()?.ok_or(Refusal::UnknownRun(run))?;
    let mut entries: Vec<_> = dropped
        .filter(|at| *at > after)
        .map(|at| LogEntry {
            at,
            text: MARKER.to_owned(),
        })
        .into_iter()
        .collect();
    let mut select = connection
        .prepare_cached("SELECT at, text FROM log WHERE run = ? AND at > ? ORDER BY at")?;
    let rows = select.query_map(params![signed(run), after.as_secs()], |row| {
        Ok(LogEntry {
            at: Timestamp::from_secs(row.get(0)?),
            text: row.get(1)?,
        })
    })?;
    for entry in rows {
        entries.push(entry?);
    }
    Ok(entries)
}
