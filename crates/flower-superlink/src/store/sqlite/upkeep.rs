//! What is deleted since it is old or not wanted any more, and the space that returns by it.

use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::row::{self, signed};
use super::runs;
use crate::link::state::{Keep, StateResult, Usage};

/// Steps of [`give_back`] in a row, as long as nobody else writes.
pub(super) const STEPS: usize = 8;
/// Pages that a step gives back: 1 MiB. A commit that comes meanwhile waits for one step.
const STEP_PAGES: u64 = 256;
/// Free pages that stay, 4 MiB: messages come and go, and need not make the file grow each time.
const SLACK_PAGES: u64 = 1024;

pub(super) fn delete_run(connection: &Connection, run: RunId) -> StateResult<()> {
    let phase = runs::phase(connection, run)?;
    if !phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let mut process =
        connection.prepare_cached("SELECT 1 FROM run WHERE id = ? AND app_pid IS NOT NULL")?;
    if process.exists([signed(run)])? {
        return Err(Refusal::ProcessLives(run).into());
    }
    // Messages, objects and token went when the run finished.
    for sql in [
        "DELETE FROM log WHERE run = ?",
        "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL WHERE unconfirmed_run = ?",
        "DELETE FROM run WHERE id = ?",
    ] {
        connection.prepare_cached(sql)?.execute([signed(run)])?;
    }
    Ok(())
}

pub(super) fn expendable_runs(
    connection: &Connection,
    keep: Keep,
    now: Timestamp,
    limit: usize,
) -> StateResult<Vec<RunId>> {
    let Some(until) = keep.until(now) else {
        return Ok(Vec::new());
    };
    let mut count =
        connection.prepare_cached("SELECT count(*) FROM run WHERE finished_at IS NOT NULL")?;
    let finished = count.query_row([], |row| row.get(0))?;
    let mut select = connection.prepare_cached(
        "SELECT id FROM (
           SELECT id, finished_at, app_pid FROM run WHERE finished_at IS NOT NULL
           ORDER BY finished_at, id LIMIT ?
         ) WHERE finished_at <= ? AND app_pid IS NULL LIMIT ?",
    )?;
    let ids = select.query_map(
        params![keep.excess(finished), until.as_secs(), limit],
        |row| row::id(row, 0).map(RunId),
    )?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Forgets the node, unless an instruction for it is there. Whether it is forgotten.
pub(super) fn forget_node(connection: &Connection, node: NodeId) -> StateResult<bool> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM node WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM instruction WHERE dst = ?1)",
    )?;
    Ok(delete.execute([signed(node)])? > 0)
}

pub(in crate::store) fn usage(connection: &Connection) -> StateResult<Usage> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let page = number("page_size")?;
    let mut runs = connection.prepare(
        "SELECT count(*), count(finished_at), coalesce(sum(log_bytes), 0),
           coalesce(sum(octet_length(override_config) + octet_length(first_context)
                        + octet_length(context)), 0) FROM run",
    )?;
    let nodes = connection.query_row("SELECT count(*) FROM node", [], |row| row.get(0))?;
    let usage = runs.query_row([], |row| {
        Ok(Usage {
            runs: row.get(0)?,
            finished: row.get(1)?,
            log_bytes: row.get(2)?,
            run_bytes: row.get(3)?,
            nodes,
            ..Usage::default()
        })
    });
    Ok(Usage {
        file_bytes: page * number("page_count")?,
        free_bytes: page * number("freelist_count")?,
        ..usage?
    })
}

/// Pages that hold nothing, beyond those that stay free.
pub(super) fn spare_pages(connection: &Connection) -> StateResult<u64> {
    let free = connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, u64>(0))?;
    Ok(free.saturating_sub(SLACK_PAGES))
}

/// Gives some pages that hold nothing back to the file system.
pub(super) fn give_back(connection: &Connection) -> StateResult<()> {
    let pages = spare_pages(connection)?.min(STEP_PAGES);
    if pages == 0 {
        return Ok(());
    }
    let sql = format!("PRAGMA incremental_vacuum({pages})");
    let mut statement = connection.prepare(&sql)?;
    let mut freed = statement.query([])?;
    while freed.next()?.is_some() {}
    Ok(())
}
