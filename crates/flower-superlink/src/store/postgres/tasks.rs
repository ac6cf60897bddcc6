//! The rows of tasks: who may work on each, and in which process.

use async_trait::async_trait;
use flwr_core::id::{RunId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::task::{Task, TaskKind};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use thiserror::Error;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, signed, unreadable};
use super::unit::Tx;
use super::{PostgresState, runs};
use crate::link::state::{self, APP_FIRST_CONTACT, Changed, Claim, Process, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::presence::Begun;

/// The columns that [`read`] reads.
const COLUMNS: &str = "task.id, task.run, task.kind, task.claimed_at";

/// The tasks whose token nobody uses, and whose process nobody watches.
const UNUSED: &str = "claimed_at <= $1 AND pid IS NULL
     AND run IN (SELECT id FROM run WHERE phase = 'pending')";

#[derive(Debug, Error)]
#[error("{0:?} is not the kind of a task")]
struct UnknownKind(String);

fn read(row: &Row) -> StateResult<Task> {
    let kind: String = row::get(row, 2)?;
    Ok(Task {
        id: TaskId(row::id(row, 0)?),
        run: RunId(row::id(row, 1)?),
        kind: TaskKind::find(&kind).ok_or_else(|| unreadable(2, UnknownKind(kind)))?,
        claimed_at: row::maybe_moment(row, 3)?,
    })
}

pub(super) async fn add(tx: &Tx<'_>, task: &Task) -> StateResult<()> {
    let insert = tx
        .prepare_cached("INSERT INTO task (id, run, kind) VALUES ($1, $2, $3)")
        .await?;
    let values: [&(dyn ToSql + Sync); 3] = [&signed(task.id), &signed(task.run), &task.kind.name()];
    tx.execute(&insert, &values).await?;
    Ok(())
}

async fn waiting(tx: &Tx<'_>, kind: TaskKind) -> StateResult<Vec<Task>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run JOIN task ON task.run = run.id
         WHERE run.phase = 'pending' AND task.kind = $1 ORDER BY run.pending_at, run.number"
    );
    let select = tx.prepare_cached(&sql).await?;
    let tasks = tx.query(&select, &[&kind.name()]).await?;
    tasks.iter().map(read).collect()
}

/// Those that a SuperLink of this name has claimed, or one that did not note its name.
async fn left(tx: &Tx<'_>, kind: TaskKind, link: &str) -> StateResult<Vec<Task>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM run JOIN task ON task.run = run.id
         WHERE run.phase = 'pending' AND task.kind = $1 AND task.token IS NOT NULL
           AND coalesce(task.link, $2) = $2 ORDER BY run.pending_at, run.number"
    );
    let tasks = tx.query(&sql, &[&kind.name(), &escaped(link)]).await?;
    tasks.iter().map(read).collect()
}

/// The tasks whose run is starting or running.
pub(super) async fn begun(tx: &Tx<'_>) -> StateResult<Vec<Task>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM task JOIN run ON run.id = task.run
         WHERE run.phase IN ('starting', 'running')"
    );
    let tasks = tx.query(&sql, &[]).await?;
    tasks.iter().map(read).collect()
}

/// The same, each with its signs of life.
pub(super) async fn leases(tx: &Tx<'_>) -> StateResult<Vec<Begun>> {
    let sql = format!(
        "SELECT {COLUMNS}, task.alive_until, run.starting_at FROM task JOIN run ON run.id = task.run
         WHERE run.phase IN ('starting', 'running')"
    );
    let select = tx.prepare_cached(&sql).await?;
    let tasks = tx.query(&select, &[]).await?;
    let begun = |found: &Row| {
        Ok(Begun {
            task: read(found)?,
            alive_until: row::maybe_moment(found, 4)?,
            starting_at: row::maybe_moment(found, 5)?,
        })
    };
    tasks.iter().map(begun).collect()
}

/// Until when the ServerApp of the run counts as alive, as far as a SuperLink has written that.
pub(super) async fn alive_until(tx: &Tx<'_>, run: RunId) -> StateResult<Option<Timestamp>> {
    let sql = "SELECT max(alive_until) FROM task WHERE run = $1";
    row::maybe_moment(&tx.query_one(sql, &[&signed(run)]).await?, 0)
}

async fn claim(
    tx: &Tx<'_>,
    (task, link): (TaskId, &str),
    token: ObjectId,
    now: Timestamp,
) -> StateResult<bool> {
    let select = tx
        .prepare_cached("SELECT run FROM task WHERE id = $1")
        .await?;
    let Some(found) = tx.query_opt(&select, &[&signed(task)]).await? else {
        return Ok(false);
    };
    let run = RunId(row::id(&found, 0)?);
    let phase = runs::phase(tx, run).await?;
    if phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let sql = "UPDATE task SET token = $1, claimed_at = $2, holder = NULL, link = $4
               WHERE id = $3 AND token IS NULL";
    let update = tx.prepare_cached(sql).await?;
    let token = &token.as_bytes()[..];
    let values: [&(dyn ToSql + Sync); 4] = [&token, &now.as_secs(), &signed(task), &escaped(link)];
    Ok(tx.execute(&update, &values).await? > 0)
}

async fn of_token(tx: &Tx<'_>, token: ObjectId) -> StateResult<Task> {
    let sql = format!("SELECT {COLUMNS} FROM task WHERE token = $1");
    let select = tx.prepare_cached(&sql).await?;
    let found = tx.query_opt(&select, &[&&token.as_bytes()[..]]).await?;
    read(&found.ok_or(Refusal::UnknownToken)?)
}

async fn claim_of(tx: &Tx<'_>, task: TaskId) -> StateResult<Option<Claim>> {
    let sql = "SELECT token, holder FROM task WHERE id = $1 AND token IS NOT NULL";
    let select = tx.prepare_cached(sql).await?;
    let found = tx.query_opt(&select, &[&signed(task)]).await?;
    let claim = |found: &Row| {
        Ok(Claim {
            token: row::object_id(found, 0)?,
            holder: row::maybe_text(found, 1)?,
        })
    };
    found.as_ref().map(claim).transpose()
}

async fn note_holder(tx: &Tx<'_>, task: TaskId, token: ObjectId, holder: &str) -> StateResult<()> {
    let update = tx
        .prepare_cached("UPDATE task SET holder = $1 WHERE id = $2 AND token = $3")
        .await?;
    let token = &token.as_bytes()[..];
    tx.execute(&update, &[&escaped(holder), &signed(task), &token])
        .await?;
    Ok(())
}

async fn revoke(tx: &Tx<'_>, task: TaskId) -> StateResult<()> {
    let sql = "UPDATE task SET token = NULL, claimed_at = NULL WHERE id = $1";
    tx.execute(sql, &[&signed(task)]).await?;
    Ok(())
}

/// Makes the tokens of the run's tasks invalid.
pub(super) async fn revoke_of_run(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    let sql = "UPDATE task SET token = NULL, claimed_at = NULL WHERE run = $1";
    tx.execute(sql, &[&signed(run)]).await?;
    Ok(())
}

/// The pending tasks that a SuperLink of this name has claimed can be claimed by others. Whether there are
/// some.
pub(super) async fn free_pending(tx: &Tx<'_>, link: &str) -> StateResult<bool> {
    let sql = "UPDATE task SET token = NULL, claimed_at = NULL, host = NULL, pid = NULL,
                 started = NULL, alive_until = NULL, link = NULL
               WHERE link = $1 AND run IN (SELECT id FROM run WHERE phase = 'pending')";
    Ok(tx.execute(sql, &[&escaped(link)]).await? > 0)
}

/// The runs that have begun and that a SuperLink of this name has claimed; of these only those whose
/// processes gave no sign of life until `now`, if a moment is given.
pub(super) async fn lost_with(
    tx: &Tx<'_>,
    link: &str,
    now: Option<Timestamp>,
) -> StateResult<Vec<RunId>> {
    let sql = "SELECT DISTINCT run.id FROM task JOIN run ON run.id = task.run
               WHERE task.link = $1 AND run.phase IN ('starting', 'running')
                 AND ($2::float8 IS NULL OR coalesce(task.alive_until, 0) < $2)
               ORDER BY run.id";
    let rows = tx.query(sql, &[&escaped(link), &row::secs(now)]).await?;
    let run = |found: &Row| row::id(found, 0).map(RunId);
    rows.iter().map(run).collect()
}

/// Those of the runs whose process no other SuperLink has started than that of the name: what becomes of the
/// others is for their SuperLink to say, or for who buries it.
pub(super) async fn not_of_others(
    tx: &Tx<'_>,
    runs: &[RunId],
    link: &str,
) -> StateResult<Vec<RunId>> {
    let sql = "SELECT lost.run FROM unnest($1::int8[]) AS lost (run)
               WHERE NOT EXISTS (SELECT 1 FROM task WHERE task.run = lost.run
                                 AND task.pid IS NOT NULL AND task.link <> $2)";
    let runs: Vec<_> = runs.iter().copied().map(signed).collect();
    let rows = tx.query(sql, &[&runs, &escaped(link)]).await?;
    let run = |found: &Row| row::id(found, 0).map(RunId);
    rows.iter().map(run).collect()
}

/// A run whose process was started by a SuperLink that is gone.
#[derive(Debug)]
pub(super) struct Orphan {
    pub(super) run: RunId,
    pub(super) link: String,
    pub(super) host: String,
}

/// Those of the runs that have begun, whose process was started by a SuperLink that is gone, and which gave
/// no sign of life until `now`.
pub(super) async fn orphans(
    tx: &Tx<'_>,
    runs: &[RunId],
    now: Timestamp,
) -> StateResult<Vec<Orphan>> {
    let sql =
        "SELECT run.id, min(task.link), min(task.host) FROM task JOIN run ON run.id = task.run
               WHERE run.id = ANY($1) AND run.phase IN ('starting', 'running')
                 AND task.pid IS NOT NULL AND coalesce(task.alive_until, 0) < $2
                 AND NOT EXISTS (SELECT 1 FROM link WHERE link.name = task.link)
                 AND task.link IS NOT NULL
               GROUP BY run.id ORDER BY run.id";
    let runs: Vec<_> = runs.iter().copied().map(signed).collect();
    let rows = tx.query(sql, &[&runs, &now.as_secs()]).await?;
    let orphan = |found: &Row| {
        Ok(Orphan {
            run: RunId(row::id(found, 0)?),
            link: row::text(found, 1)?,
            host: row::text(found, 2)?,
        })
    };
    rows.iter().map(orphan).collect()
}

/// Nobody watches the processes any more that a SuperLink of this name has started for runs that are over.
pub(super) async fn forget_ended(tx: &Tx<'_>, link: &str) -> StateResult<()> {
    let sql = "UPDATE task SET host = NULL, pid = NULL, started = NULL
               WHERE link = $1 AND run IN (SELECT id FROM run WHERE finished_at IS NOT NULL)";
    tx.execute(sql, &[&escaped(link)]).await?;
    Ok(())
}

/// The run begins again: no process works on it any more.
pub(super) async fn forget_processes(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    let sql = "UPDATE task SET host = NULL, pid = NULL, started = NULL, alive_until = NULL
               WHERE run = $1";
    tx.execute(sql, &[&signed(run)]).await?;
    Ok(())
}

pub(super) async fn has_process(tx: &Tx<'_>, run: RunId) -> StateResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM task WHERE run = $1 AND pid IS NOT NULL)";
    row::get(&tx.query_one(sql, &[&signed(run)]).await?, 0)
}

async fn set_process(
    tx: &Tx<'_>,
    (task, link): (TaskId, &str),
    process: Option<Process>,
) -> StateResult<Option<RunId>> {
    let host = process.as_ref().map(|process| escaped(&process.host));
    let pid = process
        .as_ref()
        .map(|process| i64::from(process.identity.pid));
    let started = process
        .as_ref()
        .map(|process| escaped(&process.identity.started));
    // Nobody takes the process of another away: a run that began again has a process elsewhere.
    let sql = "UPDATE task SET host = $1, pid = $2, started = $3,
                 link = CASE WHEN $2::int8 IS NULL THEN link ELSE $5 END
               WHERE id = $4 AND (pid IS NULL OR coalesce(link, $5) = $5) RETURNING run";
    let values: [&(dyn ToSql + Sync); 5] = [&host, &pid, &started, &signed(task), &escaped(link)];
    let found = tx.query_opt(sql, &values).await?;
    let run = |found: &Row| row::id(found, 0).map(RunId);
    found.as_ref().map(run).transpose()
}

async fn processes(tx: &Tx<'_>, link: &str) -> StateResult<Vec<(Task, Process)>> {
    let sql = format!(
        "SELECT {COLUMNS}, host, pid, started FROM task
         WHERE pid IS NOT NULL AND coalesce(link, $1) = $1 ORDER BY id"
    );
    let rows = tx.query(&sql, &[&escaped(link)]).await?;
    let process = |found: &Row| {
        let pid = row::count(found, 5)?;
        let process = Process {
            host: row::text(found, 4)?,
            identity: Identity {
                pid: u32::try_from(pid).map_err(|problem| unreadable(5, problem))?,
                started: row::text(found, 6)?,
            },
        };
        Ok((read(found)?, process))
    };
    rows.iter().map(process).collect()
}

/// Whether [`drop_unused_tokens`] would find something.
pub(super) async fn any_unused_token(tx: &Tx<'_>, now: Timestamp) -> StateResult<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM task WHERE {UNUSED})");
    let select = tx.prepare_cached(&sql).await?;
    let before = now.as_secs() - APP_FIRST_CONTACT;
    row::get(&tx.query_one(&select, &[&before]).await?, 0)
}

/// Drops the tokens of pending runs that nobody used in time. Whether there were any.
pub(super) async fn drop_unused_tokens(tx: &Tx<'_>, now: Timestamp) -> StateResult<bool> {
    let sql = format!("UPDATE task SET token = NULL, claimed_at = NULL WHERE {UNUSED}");
    let before = now.as_secs() - APP_FIRST_CONTACT;
    Ok(tx.execute(&sql, &[&before]).await? > 0)
}

#[async_trait]
impl state::Tasks for PostgresState {
    async fn waiting_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>> {
        reading!(self, tx => waiting(tx, kind))
    }

    async fn left_tasks(&self, kind: TaskKind) -> StateResult<Vec<Task>> {
        reading!(self, tx => left(tx, kind, &self.name))
    }

    async fn claim_task(&self, task: TaskId, token: ObjectId, now: Timestamp) -> StateResult<bool> {
        let link = self.name.clone();
        self.write(direct!([link] tx => claim(tx, (task, &link), token, now)))
            .await
    }

    async fn task_of_token(&self, token: ObjectId) -> StateResult<Task> {
        reading!(self, tx => of_token(tx, token))
    }

    async fn claim_of(&self, task: TaskId) -> StateResult<Option<Claim>> {
        reading!(self, tx => claim_of(tx, task))
    }

    async fn note_holder(&self, task: TaskId, token: ObjectId, holder: String) -> StateResult<()> {
        self.write(direct!([holder] tx => note_holder(tx, task, token, &holder)))
            .await
    }

    async fn revoke_task(&self, task: TaskId) -> StateResult<()> {
        self.write(direct!([] tx => revoke(tx, task))).await
    }

    async fn keep_task(&self, task: TaskId, until: Timestamp) -> StateResult<bool> {
        if self.presence.keep_task(task, until) {
            return Ok(true);
        }
        if !self.wakes.has_neighbours() {
            return Ok(false);
        }
        // The run may have begun at another SuperLink a moment ago.
        let _turn = self.wakes.reads().await;
        let changes = self.presence.changes();
        let begun = reading!(self, tx => leases(tx))?;
        self.presence.take_over_tasks(&begun, changes, until);
        Ok(self.presence.keep_task(task, until))
    }

    async fn set_process(&self, task: TaskId, process: Option<Process>) -> Written<()> {
        let has_ended = process.is_none();
        let link = self.name.clone();
        let set = direct!([link, process] tx => set_process(tx, (task, &link), process));
        let run = self.write(set).await?;
        let mut changed = Changed::default();
        changed
            .wake
            .extend(run.filter(|_| has_ended).map(Topic::Run));
        Ok(((), changed))
    }

    async fn processes(&self) -> StateResult<Vec<(Task, Process)>> {
        reading!(self, tx => processes(tx, &self.name))
    }
}
