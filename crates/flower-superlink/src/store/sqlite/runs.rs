//! The rows of runs: their status, their ServerApp's Context, and their traffic.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::config;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::task::Task;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{self, signed, unreadable};
use super::{SqliteState, lifecycle, tasks};
use crate::link::state::{self, Blob, Changed, StateResult, Traffic, Written};
use crate::link::wake::Topic;

const COLUMNS: &str = "id, fab_id, fab_version, fab_hash, override_config, phase, details, \
                       pending_at, starting_at, running_at, finished_at, account";

pub(super) fn create(connection: &Connection, run: &Run, context: &Context) -> StateResult<()> {
    let context = context.to_bytes();
    connection
        .prepare_cached(&format!(
            "INSERT INTO run ({COLUMNS}, first_context, context)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        ))?
        .execute(params![
            signed(run.id),
            run.fab_id,
            run.fab_version,
            run.fab_hash,
            config::to_bytes(&run.override_config),
            run.status.phase.to_string(),
            run.status.details,
            run.pending_at.as_secs(),
            run.starting_at.map(Timestamp::as_secs),
            run.running_at.map(Timestamp::as_secs),
            run.finished_at.map(Timestamp::as_secs),
            run.account,
            context,
            context,
        ])?;
    tasks::add(connection, &Task::of_serverapp(run.id))
}

pub(super) fn get(connection: &Connection, run: RunId) -> StateResult<Option<Run>> {
    let sql = select_from_run(" WHERE id = ?");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_row([signed(run)], read).optional()?)
}

pub(super) fn all(connection: &Connection) -> StateResult<Vec<Run>> {
    let sql = select_from_run(" ORDER BY pending_at, rowid");
    let mut select = connection.prepare_cached(&sql)?;
    let runs = select.query_map([], read)?;
    Ok(runs.collect::<Result<_, _>>()?)
}

fn select_from_run(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM run{rest}")
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let config: Vec<u8> = row.get(4)?;
    let config = config::from_bytes(&config).map_err(|error| unreadable(4, error))?;
    Ok(Run {
        id: RunId(row::id(row, 0)?),
        fab_id: row.get(1)?,
        fab_version: row.get(2)?,
        fab_hash: row.get(3)?,
        override_config: config,
        status: RunStatus {
            phase: read_phase(row, 5)?,
            details: row.get(6)?,
        },
        pending_at: Timestamp::from_secs(row.get(7)?),
        starting_at: row::moment(row, 8)?,
        running_at: row::moment(row, 9)?,
        finished_at: row::moment(row, 10)?,
        account: row.get(11)?,
    })
}

pub(super) fn read_phase(row: &Row<'_>, column: usize) -> rusqlite::Result<Phase> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

pub(super) fn phase(connection: &Connection, run: RunId) -> StateResult<Phase> {
    let mut select = connection.prepare_cached("SELECT phase FROM run WHERE id = ?")?;
    let found = select.query_row([signed(run)], |row| read_phase(row, 0));
    Ok(found.optional()?.ok_or(Refusal::UnknownRun(run))?)
}

pub(super) fn require_running(connection: &Connection, run: RunId) -> StateResult<()> {
    match phase(connection, run)? {
        Phase::Running => Ok(()),
        phase => Err(Refusal::RunIs { run, phase }.into()),
    }
}

pub(super) fn context(connection: &Connection, run: RunId) -> StateResult<Context> {
    let mut select = connection.prepare_cached("SELECT context FROM run WHERE id = ?")?;
    let found = select.query_row([signed(run)], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        Context::from_bytes(bytes.into()).map_err(|error| unreadable(0, error))
    });
    Ok(found.optional()?.ok_or(Refusal::UnknownRun(run))?)
}

pub(super) fn set_context(
    connection: &Connection,
    run: RunId,
    context: &Context,
) -> StateResult<()> {
    require_running(connection, run)?;
    connection
        .prepare_cached("UPDATE run SET context = ? WHERE id = ?")?
        .execute(params![context.to_bytes(), signed(run)])?;
    Ok(())
}

/// Adds to the traffic of runs.
pub(super) fn add_traffic(
    connection: &Connection,
    traffic: &[(RunId, Traffic)],
) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE run SET bytes_received = bytes_received + ?, bytes_sent = bytes_sent + ?,
           worked = worked + ?
         WHERE id = ?",
    )?;
    for (run, more) in traffic {
        let worked = i64::try_from(more.worked.as_micros()).unwrap_or(i64::MAX);
        update.execute(params![more.received, more.sent, worked, signed(*run)])?;
    }
    Ok(())
}

/// Reads the traffic from the columns `bytes_received`, `bytes_sent` and `worked`, the first of which is
/// at `first`.
fn traffic_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Traffic> {
    Ok(Traffic {
        received: row.get(first)?,
        sent: row.get(first + 1)?,
        worked: Duration::from_micros(row.get(first + 2)?),
    })
}

fn traffic(connection: &Connection, run: RunId) -> StateResult<Traffic> {
    let mut select = connection
        .prepare_cached("SELECT bytes_received, bytes_sent, worked FROM run WHERE id = ?")?;
    let found = select.query_row([signed(run)], |row| traffic_at(row, 0));
    Ok(found.optional()?.ok_or(Refusal::UnknownRun(run))?)
}

fn all_traffic(connection: &Connection) -> StateResult<Vec<(RunId, Traffic)>> {
    let mut select =
        connection.prepare_cached("SELECT id, bytes_received, bytes_sent, worked FROM run")?;
    let rows = select.query_map([], |row| Ok((RunId(row::id(row, 0)?), traffic_at(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The FABs that unfinished runs are made from, as often as there are such runs.
pub(super) fn fabs(connection: &Connection) -> StateResult<Vec<(String, usize)>> {
    let mut counted = connection.prepare(
        "SELECT fab_hash, count(*) FROM run WHERE finished_at IS NULL GROUP BY fab_hash",
    )?;
    let rows = counted.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[async_trait]
impl state::Runs for SqliteState {
    async fn create_run(&self, run: Run, context: Context, _: Option<Blob>) -> Written<()> {
        let is_pending = run.status.phase == Phase::Pending;
        let (presence, id) = (self.presence(), run.id);
        let starting_at = run.starting_at;
        self.writer
            .write_then(
                move |c| create(c, &run, &context),
                move |()| {
                    if let Some(starting_at) = starting_at {
                        presence.run_began(id, starting_at);
                    }
                },
            )
            .await?;
        let mut changed = Changed::default();
        changed.wake.extend(is_pending.then_some(Topic::Pending));
        Ok(((), changed))
    }

    async fn run(&self, run: RunId) -> StateResult<Option<Run>> {
        self.reader.read(move |c| get(c, run)).await
    }

    async fn runs(&self) -> StateResult<Vec<Run>> {
        self.reader.read(all).await
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()> {
        let (presence, counted, phase) = (self.presence(), self.presence(), to.phase);
        let written = self.writer.write_then(
            move |c| {
                let freed = lifecycle::change(c, run, &to, now)?;
                let traffic = counted.traffic_at(run, phase);
                add_traffic(c, &traffic)?;
                Ok((freed, traffic))
            },
            move |(_, traffic)| presence.run_changed(run, phase, traffic, now),
        );
        let ((freed, _), wake) = (written.await?, vec![Topic::Run(run), Topic::Log(run)]);
        Ok(((), Changed { freed, wake }))
    }

    async fn rewind_run(&self, run: RunId) -> Written<()> {
        let presence = self.presence();
        let freed = self.writer.write_then(
            move |c| lifecycle::rewind(c, run),
            move |_| presence.run_ended(run),
        );
        let freed = freed.await?;
        let wake = vec![Topic::Run(run), Topic::Log(run), Topic::Pending];
        Ok(((), Changed { freed, wake }))
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        self.reader.read(move |c| context(c, run)).await
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.writer
            .write(move |c| set_context(c, run, &context))
            .await
    }

    fn add_traffic(&self, run: RunId, more: Traffic) {
        self.presence.add_traffic(run, more);
    }

    async fn traffic(&self, run: RunId) -> StateResult<Traffic> {
        let presence = self.presence();
        let so_far = move |c: &_| {
            let unwritten = presence.unwritten_traffic(run);
            let mut so_far = traffic(c, run)?;
            so_far += unwritten;
            Ok(so_far)
        };
        self.reader.read(so_far).await
    }

    async fn all_traffic(&self) -> StateResult<Vec<(RunId, Traffic)>> {
        let presence = self.presence();
        let so_far = move |c: &_| {
            let unwritten: HashMap<_, _> = presence.all_unwritten_traffic().into_iter().collect();
            let mut so_far = all_traffic(c)?;
            for (run, traffic) in &mut so_far {
                *traffic += unwritten.get(run).copied().unwrap_or_default();
            }
            Ok(so_far)
        };
        self.reader.read(so_far).await
    }
}
