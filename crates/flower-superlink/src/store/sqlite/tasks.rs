//! The rows of tasks: who may work on each, and in which process.

use async_trait::async_trait;
use flwr_core::id::{RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use rusqlite::{Connection, OptionalExtension, Row, params};
use thiserror::Error;

use super::row::{self, signed, unreadable};
use super::{SqliteState, runs};
use crate::link::state::{self, APP_FIRST_CONTACT, Changed, Claim, Process, StateResult, Written};
use crate::link::wake::Topic;

/// The columns that [`read`] reads.
const COLUMNS: &str = "task.id, task.run, task.kind, task.claimed_at";

/// The tasks of a kind whose run is pending, oldest first: from the index of these runs alone.
pub(super) const WAITING: &str = "SELECT task.id, task.run, task.kind, task.claimed_at
     FROM run CROSS JOIN task ON task.run = run.id
     WHERE run.phase = 'pending' AND task.kind = ? ORDER BY run.pending_at, run.id";

/// The tasks whose token nobody uses, and whose process nobody watches.
const UNUSED: &str = "claimed_at <= ? AND pid IS NULL
     AND run IN (SELECT id FROM run WHERE phase = 'pending')";

#[derive(Debug, Error)]
#[error("{0:?} is not the kind of a task")]
struct UnknownKind(String);

fn read(row: &Row<'_>) -> rusqlite::Result<Task> {
    let kind: String = row.get(2)?;
    Ok(Task {
        id: TaskId(row::id(row, 0)?),
        run: RunId(row::id(row, 1)?),
        kind: TaskKind::find(&kind).ok_or_else(|| unreadable(2, UnknownKind(kind)))?,
        claimed_at: row::moment(row, 3)?,
    })
}

pub(super) fn add(connection: &Connection, task: &Task) -> StateResult<()> {
    connection
        .prepare_cached("INSERT INTO task (id, run, kind) VALUES (?, ?, ?)")?
        .execute(params![signed(task.id), signed(task.run), task.kind.name()])?;
    Ok(())
}

fn waiting(connection: &Connection, kind: TaskKind) -> StateResult<Vec<Task>> {
    let mut select = connection.prepare_cached(WAITING)?;
    let tasks = select.query_map([kind.name()], read)?;
    Ok(tasks.collect::<Result<_, _>>()?)
}

/// The tasks whose run is starting or running.
pub(super) fn begun(connection: &Connection) -> StateResult<Vec<Task>> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM task JOIN run ON run.id = task.run
         WHERE run.phase IN ('starting', 'running')"
    ))?;
    let tasks = select.query_map([], read)?;
    Ok(tasks.collect::<Result<_, _>>()?)
}

fn claim(
    connection: &Connection,
    task: TaskId,
    token: ObjectId,
    now: Timestamp,
) -> StateResult<bool> {
    let mut select = connection.prepare_cached("SELECT run FROM task WHERE id = ?")?;
    let run = select.query_row([signed(task)], |row| row::id(row, 0).map(RunId));
    let Some(run) = run.optional()? else {
        return Ok(false);
    };
    let phase = runs::phase(connection, run)?;
    if phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let mut update = connection.prepare_cached(
        "UPDATE task SET token = ?, claimed_at = ?, holder = NULL WHERE id = ? AND token IS NULL",
    )?;
    Ok(update.execute(params![token.as_bytes(), now.as_secs(), signed(task)])? > 0)
}

fn of_token(connection: &Connection, token: ObjectId) -> StateResult<Task> {
    let sql = format!("SELECT {COLUMNS} FROM task WHERE token = ?");
    let mut select = connection.prepare_cached(&sql)?;
    let task = select.query_row([token.as_bytes()], read).optional()?;
    Ok(task.ok_or(Refusal::UnknownToken)?)
}

fn claim_of(connection: &Connection, task: TaskId) -> StateResult<Option<Claim>> {
    let mut select = connection
        .prepare_cached("SELECT token, holder FROM task WHERE id = ? AND token IS NOT NULL")?;
    let claim = select.query_row([signed(task)], |row| {
        Ok(Claim {
            token: row::object_id(row, 0)?,
            holder: row.get(1)?,
        })
    });
    Ok(claim.optional()?)
}

fn note_holder(
    connection: &Connection,
    task: TaskId,
    token: ObjectId,
    holder: &str,
) -> StateResult<()> {
    connection
        .prepare_cached("UPDATE task SET holder = ? WHERE id = ? AND token = ?")?
        .execute(params![holder, signed(task), token.as_bytes()])?;
    Ok(())
}

fn revoke(connection: &Connection, task: TaskId) -> StateResult<()> {
    connection
        .prepare_cached("UPDATE task SET token = NULL, claimed_at = NULL WHERE id = ?")?
        .execute([signed(task)])?;
    Ok(())
}

/// Makes the tokens of the run's tasks invalid.
pub(super) fn revoke_of_run(connection: &Connection, run: RunId) -> StateResult<()> {
    connection
        .prepare_cached("UPDATE task SET token = NULL, claimed_at = NULL WHERE run = ?")?
        .execute([signed(run)])?;
    Ok(())
}

/// The run begins again: no process works on it any more.
pub(super) fn forget_processes(connection: &Connection, run: RunId) -> StateResult<()> {
    connection
        .prepare_cached("UPDATE task SET host = NULL, pid = NULL, started = NULL WHERE run = ?")?
        .execute([signed(run)])?;
    Ok(())
}

pub(super) fn has_process(connection: &Connection, run: RunId) -> StateResult<bool> {
    let mut select =
        connection.prepare_cached("SELECT 1 FROM task WHERE run = ? AND pid IS NOT NULL")?;
    Ok(select.exists([signed(run)])?)
}

fn set_process(
    connection: &Connection,
    task: TaskId,
    process: Option<Process>,
) -> StateResult<Option<RunId>> {
    let (host, identity) = process
        .map(|process| (process.host, process.identity))
        .unzip();
    let (pid, started) = identity
        .map(|identity| (identity.pid, identity.started))
        .unzip();
    let mut update = connection.prepare_cached(
        "UPDATE task SET host = ?, pid = ?, started = ? WHERE id = ? RETURNING run",
    )?;
    let run = update.query_row(params![host, pid, started, signed(task)], |row| {
        row::id(row, 0).map(RunId)
    });
    Ok(run.optional()?)
}

fn processes(connection: &Connection) -> StateResult<Vec<(Task, Process)>> {
    let mut select = connection.prepare(&format!(
        "SELECT {COLUMNS}, host, pid, started FROM task WHERE pid IS NOT NULL ORDER BY id"
    ))?;
    let processes = select.query_map([], |row| {
        let (pid, started) = (row.get(5)?, row.get(6)?);
        let process = Process {
            host: row.get(4)?,
            identity: Identity { pid, started },
        };
        Ok((read(row)?, process))
    })?;
    Ok(processes.collect::<Result<_, _>>()?)
}

/// Whether [`drop_unused_tokens`] would find something.
pub(super) fn any_unused_token(connection: &Connection, now: Timestamp) -> StateResult<bool> {
    let mut select = connection.prepare_cached(&format!("SELECT 1 FROM task WHERE {UNUSED}"))?;
    Ok(select.exists([now.as_secs() - APP_FIRST_CONTACT])?)
}

/// Drops the tokens of pending runs that nobody used in time. Whether there were any.
pub(super) fn drop_unused_tokens(connection: &Connection, now: Timestamp) -> StateResult<bool> {
    let mut update = connection.prepare_cached(&format!(
        "UPDATE task SET token = NULL, claimed_at = NULL WHERE {UNUSED}"
    ))?;
    Ok(update.execute([now.as_secs() - APP_FIRST_CONTACT])? > 0)
}

#[async_trait]
impl state::Tasks for SqliteState {
    async fn waiting_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>> {
        self.reader.read(move |c| waiting(c, kind)).await
    }

    async fn claim_task(&self, task: TaskId, token: ObjectId, now: Timestamp) -> StateResult<bool> {
        self.writer.write(move |c| claim(c, task, token, now)).await
    }

    async fn task_of_token(&self, token: ObjectId) -> StateResult<Task> {
        self.reader.read(move |c| of_token(c, token)).await
    }

    async fn claim_of(&self, task: TaskId) -> StateResult<Option<Claim>> {
        self.reader.read(move |c| claim_of(c, task)).await
    }

    async fn note_holder(&self, task: TaskId, token: ObjectId, holder: String) -> StateResult<()> {
        let note = move |c: &_| note_holder(c, task, token, &holder);
        self.writer.write(note).await
    }

    async fn revoke_task(&self, task: TaskId) -> StateResult<()> {
        self.writer.write(move |c| revoke(c, task)).await
    }

    async fn keep_task(&self, task: TaskId, until: Timestamp) -> StateResult<bool> {
        Ok(self.presence.keep_task(task, until))
    }

    async fn set_process(&self, task: TaskId, process: Option<Process>) -> Written<()> {
        let has_ended = process.is_none();
        let set = move |c: &_| set_process(c, task, process);
        let run = self.writer.write(set).await?;
        let mut changed = Changed::default();
        changed
            .wake
            .extend(run.filter(|_| has_ended).map(Topic::Run));
        Ok(((), changed))
    }

    async fn processes(&self) -> StateResult<Vec<(Task, Process)>> {
        self.reader.read(processes).await
    }
}
