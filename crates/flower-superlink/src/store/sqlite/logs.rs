//! The log of a run: its latest pieces, within a bound.

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteState;
use super::row::{self, signed};
use crate::link::state::{self, Changed, LogEntry, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::log::{self, MARKER, MAX_BYTES, Page, STEP};

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
    let mut at = last.map_or(now, |last| now.max(last + STEP));
    let (text, is_cut) = log::kept(text);
    if is_cut {
        drop_all(connection, run, at)?;
        at = at + STEP;
    }
    let mut insert =
        connection.prepare_cached("INSERT INTO log (run, at, text) VALUES (?, ?, ?)")?;
    for piece in state::pieces(text) {
        insert.execute(params![signed(run), at.as_secs(), piece])?;
        at = at + STEP;
    }
    let mut grown = connection.prepare_cached(
        "UPDATE run SET log_bytes = log_bytes + ? WHERE id = ? RETURNING log_bytes",
    )?;
    let bytes: usize = grown.query_row(params![text.len(), signed(run)], |row| row.get(0))?;
    drop_oldest(connection, run, bytes, at)
}

/// Drops the whole log, and what would have come at this moment.
fn drop_all(connection: &Connection, run: RunId, at: Timestamp) -> StateResult<()> {
    connection
        .prepare_cached("DELETE FROM log WHERE run = ?")?
        .execute([signed(run)])?;
    connection
        .prepare_cached("UPDATE run SET log_bytes = 0, log_dropped = ? WHERE id = ?")?
        .execute(params![at.as_secs(), signed(run)])?;
    Ok(())
}

/// Drops the oldest pieces before `end` until the log is within its bound.
fn drop_oldest(
    connection: &Connection,
    run: RunId,
    mut bytes: usize,
    end: Timestamp,
) -> StateResult<()> {
    while bytes > MAX_BYTES {
        let mut oldest = connection.prepare_cached(
            "DELETE FROM log WHERE run = ?1 AND at = (SELECT min(at) FROM log WHERE run = ?1)
             AND at < ?2 RETURNING at, octet_length(text)",
        )?;
        let dropped = oldest.query_row(params![signed(run), end.as_secs()], |row| {
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
    most: usize,
) -> StateResult<Vec<LogEntry>> {
    let mut page = Page::of(most);
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
    let mut rows = select.query(params![signed(run), after.as_secs()])?;
    while let Some(row) = rows.next()? {
        let length = row.get_ref(1)?.as_str().map_or(0, str::len);
        if !page.takes(length) {
            break;
        }
        entries.push(LogEntry {
            at: Timestamp::from_secs(row.get(0)?),
            text: row.get(1)?,
        });
    }
    Ok(entries)
}

#[async_trait]
impl state::Logs for SqliteState {
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()> {
        self.writer
            .write(move |c| append(c, run, &text, now))
            .await?;
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn log_after(
        &self,
        run: RunId,
        after: Timestamp,
        most: usize,
    ) -> StateResult<Vec<LogEntry>> {
        let read = move |c: &_| self::after(c, run, after, most);
        self.reader.read(read).await
    }
}
