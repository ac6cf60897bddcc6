//! The log of a run: its latest pieces, within a bound.

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;

use super::PostgresState;
use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, signed};
use super::unit::Tx;
use crate::link::state::{self, Changed, LogEntry, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::log::{self, MARKER, MAX_BYTES, Page, STEP};

/// Rows that are read at once: a page is mostly smaller than a log.
const AT_ONCE: i64 = 256;

pub(super) async fn append(tx: &Tx<'_>, run: RunId, text: &str, now: Timestamp) -> StateResult<()> {
    let sql = "SELECT coalesce((SELECT max(at) FROM log WHERE run = id), log_dropped)
               FROM run WHERE id = $1";
    let select = tx.prepare_cached(sql).await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    let last = row::maybe_moment(&found.ok_or(Refusal::UnknownRun(run))?, 0)?;
    let mut at = last.map_or(now, |last| now.max(last + STEP));
    let (text, is_cut) = log::kept(text);
    if is_cut {
        drop_all(tx, run, at).await?;
        at = at + STEP;
    }
    let (mut moments, mut pieces, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for piece in state::pieces(text) {
        moments.push(at.as_secs());
        pieces.push(escaped(piece));
        lengths.push(length(piece));
        at = at + STEP;
    }
    let sql = "INSERT INTO log (run, at, text, bytes)
               SELECT $1::int8, * FROM unnest($2::float8[], $3::text[], $4::int8[])";
    let insert = tx.prepare_cached(sql).await?;
    tx.execute(&insert, &[&signed(run), &moments, &pieces, &lengths])
        .await?;
    let sql = "UPDATE run SET log_bytes = log_bytes + $1 WHERE id = $2 RETURNING log_bytes";
    let update = tx.prepare_cached(sql).await?;
    let grown = tx
        .query_one(&update, &[&length(text), &signed(run)])
        .await?;
    if row::count(&grown, 0)? > MAX_BYTES as u64 {
        drop_oldest(tx, run, at).await?;
    }
    Ok(())
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Drops the whole log, and what would have come at this moment.
async fn drop_all(tx: &Tx<'_>, run: RunId, at: Timestamp) -> StateResult<()> {
    tx.execute("DELETE FROM log WHERE run = $1", &[&signed(run)])
        .await?;
    let sql = "UPDATE run SET log_bytes = 0, log_dropped = $1 WHERE id = $2";
    tx.execute(sql, &[&at.as_secs(), &signed(run)]).await?;
    Ok(())
}

/// Drops the oldest pieces before `end` until the log is within its bound.
async fn drop_oldest(tx: &Tx<'_>, run: RunId, end: Timestamp) -> StateResult<()> {
    // A piece goes if those from it on are more than is kept.
    let sql = "WITH piece AS (
                 SELECT at, sum(bytes) OVER (ORDER BY at DESC) - bytes AS later
                 FROM log WHERE run = $1
               ), gone AS (
                 DELETE FROM log USING piece
                 WHERE log.run = $1 AND log.at = piece.at AND log.at < $2
                   AND piece.later + log.bytes > $3::int8
                 RETURNING log.at, log.bytes
               )
               UPDATE run SET log_bytes = log_bytes - (SELECT coalesce(sum(bytes), 0) FROM gone),
                 log_dropped = coalesce((SELECT max(at) FROM gone), log_dropped)
               WHERE id = $1";
    let most = i64::try_from(MAX_BYTES).unwrap_or(i64::MAX);
    let update = tx.prepare_cached(sql).await?;
    tx.execute(&update, &[&signed(run), &end.as_secs(), &most])
        .await?;
    Ok(())
}

async fn entries_after(
    tx: &Tx<'_>,
    run: RunId,
    after: Timestamp,
    most: usize,
) -> StateResult<Vec<LogEntry>> {
    let mut page = Page::of(most);
    let select = tx
        .prepare_cached("SELECT log_dropped FROM run WHERE id = $1")
        .await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    let dropped = row::maybe_moment(&found.ok_or(Refusal::UnknownRun(run))?, 0)?;
    let marker = dropped.filter(|at| *at > after).map(|at| LogEntry {
        at,
        text: MARKER.to_owned(),
    });
    let mut entries: Vec<_> = marker.into_iter().collect();
    let sql = "SELECT at, text FROM log WHERE run = $1 AND at > $2 ORDER BY at LIMIT $3";
    let select = tx.prepare_cached(sql).await?;
    let mut last = after;
    loop {
        let rows = tx
            .query(&select, &[&signed(run), &last.as_secs(), &AT_ONCE])
            .await?;
        for found in &rows {
            let (at, text) = (row::moment(found, 0)?, row::text(found, 1)?);
            if !page.takes(text.len()) {
                return Ok(entries);
            }
            entries.push(LogEntry { at, text });
            last = at;
        }
        if (rows.len() as i64) < AT_ONCE {
            return Ok(entries);
        }
    }
}

#[async_trait]
impl state::Logs for PostgresState {
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> Written<()> {
        self.write(direct!([text] tx => append(tx, run, &text, now)))
            .await?;
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn log_after(
        &self,
        run: RunId,
        after: Timestamp,
        most: usize,
    ) -> StateResult<Vec<LogEntry>> {
        reading!(self, tx => entries_after(tx, run, after, most))
    }
}
