//! The way of a run from phase to phase, and what it leaves behind on it.

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::run::{Phase, RunStatus};
use flwr_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::row::signed;
use super::{metrics, objects, runs, tasks};
use crate::link::state::StateResult;
use crate::store::{columns, rules};
use flwr_core::refusal::Refusal;

pub(super) fn change(
    connection: &Connection,
    run: RunId,
    to: &RunStatus,
    now: Timestamp,
) -> StateResult<Vec<ObjectId>> {
    let from = runs::phase(connection, run)?;
    rules::admit_phase(run, from, to.phase)?;
    let column = columns::since(to.phase);
    let sql = format!("UPDATE run SET phase = ?, details = ?, {column} = ? WHERE id = ?");
    let phase = to.phase.to_string();
    connection.prepare_cached(&sql)?.execute(params![
        phase,
        to.details,
        now.as_secs(),
        signed(run)
    ])?;
    if to.phase.is_finished() {
        clear(connection, run)
    } else {
        Ok(Vec::new())
    }
}

/// Lets go of a run's messages, objects and token.
fn clear(connection: &Connection, run: RunId) -> StateResult<Vec<ObjectId>> {
    for sql in [
        "DELETE FROM instruction WHERE run = ?",
        "DELETE FROM reply WHERE run = ?",
    ] {
        connection.prepare_cached(sql)?.execute([signed(run)])?;
    }
    tasks::revoke_of_run(connection, run)?;
    objects::clear(connection, run)
}

/// Sets the run back to its beginning, once in its life.
pub(super) fn rewind(connection: &Connection, run: RunId) -> StateResult<Vec<ObjectId>> {
    let phase = runs::phase(connection, run)?;
    if phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let mut update = connection.prepare_cached(
        "UPDATE run SET phase = ?, context = first_context, resumed = 1, starting_at = NULL,
         running_at = NULL WHERE id = ? AND resumed = 0",
    )?;
    if update.execute(params![Phase::Pending.to_string(), signed(run)])? == 0 {
        return Err(Refusal::ResumedBefore(run).into());
    }
    tasks::forget_processes(connection, run)?;
    metrics::clear(connection, run)?;
    clear(connection, run)
}
