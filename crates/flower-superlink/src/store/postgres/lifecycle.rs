//! The way of a run from phase to phase, and what it leaves behind on it.

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, RunStatus};
use flwr_core::time::Timestamp;

use super::row::{escaped, signed};
use super::unit::Tx;
use super::{metrics, objects, runs, tasks};
use crate::link::state::StateResult;
use crate::store::{columns, rules};

pub(super) async fn change(
    tx: &Tx<'_>,
    run: RunId,
    to: &RunStatus,
    now: Timestamp,
) -> StateResult<Vec<ObjectId>> {
    let from = runs::phase(tx, run).await?;
    rules::admit_phase(run, from, to.phase)?;
    let column = columns::since(to.phase);
    let sql = format!("UPDATE run SET phase = $1, details = $2, {column} = $3 WHERE id = $4");
    let (phase, details) = (to.phase.to_string(), escaped(&to.details));
    let update = tx.prepare_cached(&sql).await?;
    tx.execute(&update, &[&phase, &details, &now.as_secs(), &signed(run)])
        .await?;
    if to.phase.is_finished() {
        clear(tx, run).await
    } else {
        Ok(Vec::new())
    }
}

/// Lets go of a run's messages, objects and token.
async fn clear(tx: &Tx<'_>, run: RunId) -> StateResult<Vec<ObjectId>> {
    for sql in [
        "DELETE FROM instruction WHERE run = $1",
        "DELETE FROM reply WHERE run = $1",
    ] {
        let delete = tx.prepare_cached(sql).await?;
        tx.execute(&delete, &[&signed(run)]).await?;
    }
    tasks::revoke_of_run(tx, run).await?;
    objects::clear(tx, run).await
}

/// Sets the run back to its beginning, once in its life.
pub(super) async fn rewind(tx: &Tx<'_>, run: RunId) -> StateResult<Vec<ObjectId>> {
    let phase = runs::phase(tx, run).await?;
    if phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    let sql = "UPDATE run SET phase = $1, context = first_context, resumed = true,
                 starting_at = NULL, running_at = NULL WHERE id = $2 AND NOT resumed";
    let pending = Phase::Pending.to_string();
    if tx.execute(sql, &[&pending, &signed(run)]).await? == 0 {
        return Err(Refusal::ResumedBefore(run).into());
    }
    tasks::forget_processes(tx, run).await?;
    metrics::clear(tx, run).await?;
    clear(tx, run).await
}
