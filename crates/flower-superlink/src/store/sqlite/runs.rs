//! Runs: their status, their ServerApp's Context and process, and their token.

use async_trait::async_trait;
use flwr_core::config;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{self, signed, unreadable};
use super::{SqliteState, lifecycle};
use crate::link::state::{self, APP_FIRST_HEARTBEAT, Changed, StateResult, Written};
use crate::link::wake::Topic;

const COLUMNS: &str = "id, fab_id, fab_version, fab_hash, override_config, phase, details, \
                       pending_at, starting_at, running_at, finished_at, account";

pub(super) const PENDING: &str =
    "SELECT id FROM run WHERE phase = 'pending' ORDER BY pending_at, id";

const UNUSED: &str = "issued_at <= ? AND run IN (SELECT id FROM run WHERE phase = 'pending')";

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

/// The pending runs, oldest first: from the index of these alone.
pub(super) fn pending(connection: &Connection) -> StateResult<Vec<RunId>> {
    let mut select = connection.prepare_cached(PENDING)?;
    let ids = select.query_map([], |row| row::id(row, 0).map(RunId))?;
    Ok(ids.collect::<Result<_, _>>()?)
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

fn read_phase(row: &Row<'_>, column: usize) -> rusqlite::Result<Phase> {
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

#[async_trait]
impl state::Runs for SqliteState {
    async fn create_run(&self, run: Run, context: Context) -> Written<()> {
        let is_pending = run.status.phase == Phase::Pending;
        let (presence, id) = (self.presence(), run.id);
        let starting_at = run.starting_at;
        self.writer
            .write_then(
                move |c| create(c, &run, &context),
                move |()| {
                    if let Some(starting_at) = starting_at {
                        presence.run_began(id, starting_at + APP_FIRST_HEARTBEAT);
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

    async fn pending_runs(&self) -> StateResult<Vec<RunId>> {
        self.reader.read(pending).await
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()> {
        let (presence, phase) = (self.presence(), to.phase);
        let freed = self.writer.write_then(
            move |c| lifecycle::change(c, run, &to, now),
            move |_| match phase {
                Phase::Starting => presence.run_began(run, now + APP_FIRST_HEARTBEAT),
                Phase::Finished(_) => presence.run_ended(run),
                Phase::Pending | Phase::Running => {}
            },
        );
        let (freed, wake) = (freed.await?, vec![Topic::Run(run), Topic::Log(run)]);
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

    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool> {
        if self.presence.keep_run(run, until) {
            return Ok(true);
        }
        // Not begun, over, or not known: which of them, the table tells.
        self.reader
            .read(move |c| phase(c, run).map(|_| false))
            .await
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        self.reader.read(move |c| context(c, run)).await
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.writer
            .write(move |c| set_context(c, run, &context))
            .await
    }

    async fn set_app(&self, run: RunId, app: Option<Identity>) -> Written<()> {
        let has_ended = app.is_none();
        self.writer.write(move |c| set_app(c, run, app)).await?;
        let mut changed = Changed::default();
        changed.wake.extend(has_ended.then_some(Topic::Run(run)));
        Ok(((), changed))
    }

    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>> {
        self.reader.read(apps).await
    }

    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()> {
        self.writer
            .write(move |c| issue_token(c, run, token, now))
            .await
    }

    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId> {
        self.reader.read(move |c| of_token(c, token)).await
    }

    async fn revoke_token(&self, run: RunId) -> StateResult<()> {
        self.writer.write(move |c| revoke_token(c, run)).await
    }
}
