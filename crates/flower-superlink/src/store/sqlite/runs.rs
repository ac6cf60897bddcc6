//! Runs: their status, their ServerApp's Context and process, and their token.

use flwr_core::config;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use flwr_proto as proto;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{self, signed, unreadable};
use crate::link::state::{APP_FIRST_HEARTBEAT, StateResult};

const COLUMNS: &str = "id, fab_id, fab_version, fab_hash, override_config, phase, details, \
                       pending_at, starting_at, running_at, finished_at, account";

const UNUSED: &str = "issued_at <= ? AND run IN (SELECT id FROM run WHERE phase = 'pending')";

pub(super) fn create(
    connection: &Connection,
    run: &Run,
    context: &proto::Context,
) -> StateResult<()> {
    let config = proto::Run {
        override_config: config::to_wire(&run.override_config),
        ..proto::Run::default()
    };
    let context = context.encode_to_vec();
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
            config.encode_to_vec(),
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
    Ok(())
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
    let config = proto::Run::decode(&config[..]).map_err(|error| unreadable(4, error))?;
    let config = config::from_wire(config.override_config).map_err(|error| unreadable(4, error))?;
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

fn read_phase(row: &Row<'_>, column: usize) -> rusqlite::Result<Phase> {
    let text: String = row.get(column)?;
    let (status, sub_status) = text.split_once(':').unwrap_or((&text, ""));
    let status = proto::RunStatus {
        status: status.to_owned(),
        sub_status: sub_status.to_owned(),
        ..proto::RunStatus::default()
    };
    let status = RunStatus::try_from(status).map_err(|error| unreadable(column, error))?;
    Ok(status.phase)
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

pub(super) fn set_app(
    connection: &Connection,
    run: RunId,
    app: Option<Identity>,
) -> StateResult<()> {
    let (pid, started) = app.map(|app| (app.pid, app.started)).unzip();
    connection
        .prepare_cached("UPDATE run SET app_pid = ?, app_started = ? WHERE id = ?")?
        .execute(params![pid, started, signed(run)])?;
    Ok(())
}

pub(super) fn apps(connection: &Connection) -> StateResult<Vec<(RunId, Identity)>> {
    let mut select =
        connection.prepare("SELECT id, app_pid, app_started FROM run WHERE app_pid IS NOT NULL")?;
    let apps = select.query_map([], |row| {
        let (pid, started) = (row.get(1)?, row.get(2)?);
        Ok((RunId(row::id(row, 0)?), Identity { pid, started }))
    })?;
    Ok(apps.collect::<Result<_, _>>()?)
}

pub(super) fn context(connection: &Connection, run: RunId) -> StateResult<proto::Context> {
    let mut select = connection.prepare_cached("SELECT context FROM run WHERE id = ?")?;
    let found = select.query_row([signed(run)], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        proto::Context::decode(&bytes[..]).map_err(|error| unreadable(0, error))
    });
    Ok(found.optional()?.ok_or(Refusal::UnknownRun(run))?)
}

pub(super) fn set_context(
    connection: &Connection,
    run: RunId,
    context: &proto::Context,
) -> StateResult<()> {
    require_running(connection, run)?;
    connection
        .prepare_cached("UPDATE run SET context = ? WHERE id = ?")?
        .execute(params![context.encode_to_vec(), signed(run)])?;
    Ok(())
}

pub(super) fn issue_token(
    connection: &Connection,
    run: RunId,
    token: ObjectId,
    now: Timestamp,
) -> StateResult<()> {
    let phase = phase(connection, run)?;
    if phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO token (hash, run, issued_at) VALUES (?, ?, ?)")?;
    if insert.execute(params![token.as_bytes(), signed(run), now.as_secs()])? == 0 {
        return Err(Refusal::HasToken(run).into());
    }
    Ok(())
}

pub(super) fn of_token(connection: &Connection, token: ObjectId) -> StateResult<RunId> {
    let mut select = connection.prepare_cached("SELECT run FROM token WHERE hash = ?")?;
    let run = select.query_row([token.as_bytes()], |row| row::id(row, 0));
    Ok(run.optional()?.map(RunId).ok_or(Refusal::UnknownToken)?)
}

pub(super) fn revoke_token(connection: &Connection, run: RunId) -> StateResult<()> {
    let mut delete = connection.prepare_cached("DELETE FROM token WHERE run = ?")?;
    delete.execute([signed(run)])?;
    Ok(())
}

/// Whether [`drop_unused_tokens`] would find something.
pub(super) fn any_unused_token(connection: &Connection, now: Timestamp) -> StateResult<bool> {
    let mut select = connection.prepare_cached(&format!("SELECT 1 FROM token WHERE {UNUSED}"))?;
    Ok(select.exists([now.as_secs() - APP_FIRST_HEARTBEAT])?)
}

/// Drops the tokens of pending runs that nobody used in time. Whether there were any.
pub(super) fn drop_unused_tokens(connection: &Connection, now: Timestamp) -> StateResult<bool> {
    let mut delete = connection.prepare_cached(&format!("DELETE FROM token WHERE {UNUSED}"))?;
    Ok(delete.execute([now.as_secs() - APP_FIRST_HEARTBEAT])? > 0)
}

/// The FABs that unfinished runs are made from, as often as there are such runs.
pub(super) fn fabs(connection: &Connection) -> StateResult<Vec<(String, usize)>> {
    let mut counted = connection.prepare(
        "SELECT fab_hash, count(*) FROM run WHERE finished_at IS NULL GROUP BY fab_hash",
    )?;
    let rows = counted.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
