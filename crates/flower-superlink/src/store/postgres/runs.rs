//! The rows of runs: their status, their ServerApp's Context, and their traffic.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::config;
use flwr_core::context::Context;
use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::task::Task;
use flwr_core::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lane::direct;
use super::reader::reading;
use super::row::{self, escaped, secs, signed, unreadable};
use super::unit::Tx;
use super::{PostgresState, blobs, lifecycle, tasks};
use crate::link::state::{self, Blob, Changed, StateResult, Traffic, Written};
use crate::link::wake::Topic;

const COLUMNS: &str = "id, fab_id, fab_version, fab_hash, override_config, phase, details, \
                       pending_at, starting_at, running_at, finished_at, account";

async fn create(tx: &Tx<'_>, run: &Run, context: &Context, fab: Option<&Blob>) -> StateResult<()> {
    let sql = format!(
        "INSERT INTO run ({COLUMNS}, first_context, context)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)"
    );
    let values: [&(dyn ToSql + Sync); 13] = [
        &signed(run.id),
        &escaped(&run.fab_id),
        &escaped(&run.fab_version),
        &escaped(&run.fab_hash),
        &config::to_bytes(&run.override_config),
        &run.status.phase.to_string(),
        &escaped(&run.status.details),
        &run.pending_at.as_secs(),
        &secs(run.starting_at),
        &secs(run.running_at),
        &secs(run.finished_at),
        &escaped(&run.account),
        &context.to_bytes(),
    ];
    let insert = tx.prepare_cached(&sql).await?;
    tx.execute(&insert, &values).await?;
    if let Some(Blob::Named(name)) = fab
        && let Ok(hash) = run.fab_hash.parse::<ObjectId>()
    {
        blobs::add_fab(tx, run.id, hash.as_bytes(), name).await?;
    }
    tasks::add(tx, &Task::of_serverapp(run.id)).await
}

async fn get(tx: &Tx<'_>, run: RunId) -> StateResult<Option<Run>> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE id = $1");
    let select = tx.prepare_cached(&sql).await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    found.as_ref().map(read).transpose()
}

async fn all(tx: &Tx<'_>) -> StateResult<Vec<Run>> {
    let sql = format!("SELECT {COLUMNS} FROM run ORDER BY pending_at, number");
    let select = tx.prepare_cached(&sql).await?;
    let runs = tx.query(&select, &[]).await?;
    runs.iter().map(read).collect()
}

fn read(row: &Row) -> StateResult<Run> {
    let config = config::from_bytes(row::get(row, 4)?).map_err(|error| unreadable(4, error))?;
    Ok(Run {
        id: RunId(row::id(row, 0)?),
        fab_id: row::text(row, 1)?,
        fab_version: row::text(row, 2)?,
        fab_hash: row::text(row, 3)?,
        override_config: config,
        status: RunStatus {
            phase: read_phase(row, 5)?,
            details: row::text(row, 6)?,
        },
        pending_at: row::moment(row, 7)?,
        starting_at: row::maybe_moment(row, 8)?,
        running_at: row::maybe_moment(row, 9)?,
        finished_at: row::maybe_moment(row, 10)?,
        account: row::text(row, 11)?,
    })
}

pub(super) fn read_phase(row: &Row, column: usize) -> StateResult<Phase> {
    let text: &str = row::get(row, column)?;
    text.parse::<Phase>()
        .map_err(|error| unreadable(column, error))
}

/// The phases of those of the runs that are known.
pub(super) async fn phases(tx: &Tx<'_>, runs: &[RunId]) -> StateResult<HashMap<RunId, Phase>> {
    let ids: Vec<_> = runs.iter().copied().map(signed).collect();
    let select = tx
        .prepare_cached("SELECT id, phase FROM run WHERE id = ANY($1)")
        .await?;
    let found = tx.query(&select, &[&ids]).await?;
    let phase = |row: &Row| Ok((RunId(row::id(row, 0)?), read_phase(row, 1)?));
    found.iter().map(phase).collect()
}

pub(super) async fn phase(tx: &Tx<'_>, run: RunId) -> StateResult<Phase> {
    let phases = phases(tx, &[run]).await?;
    Ok(phases.get(&run).copied().ok_or(Refusal::UnknownRun(run))?)
}

async fn context(tx: &Tx<'_>, run: RunId) -> StateResult<Context> {
    let select = tx
        .prepare_cached("SELECT context FROM run WHERE id = $1")
        .await?;
    let found = tx.query_opt(&select, &[&signed(run)]).await?;
    let found = found.ok_or(Refusal::UnknownRun(run))?;
    let bytes: Vec<u8> = row::get(&found, 0)?;
    Context::from_bytes(bytes.into()).map_err(|error| unreadable(0, error))
}

async fn set_context(tx: &Tx<'_>, run: RunId, context: &Context) -> StateResult<()> {
    match phase(tx, run).await? {
        Phase::Running => {}
        phase => return Err(Refusal::RunIs { run, phase }.into()),
    }
    let update = tx
        .prepare_cached("UPDATE run SET context = $1 WHERE id = $2")
        .await?;
    tx.execute(&update, &[&context.to_bytes(), &signed(run)])
        .await?;
    Ok(())
}

/// Adds to the traffic of runs.
pub(super) async fn add_traffic(tx: &Tx<'_>, traffic: &[(RunId, Traffic)]) -> StateResult<()> {
    if traffic.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE run SET bytes_received = bytes_received + more.received,
                 bytes_sent = bytes_sent + more.sent, worked = run.worked + more.worked
               FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::int8[])
                 AS more (id, received, sent, worked)
               WHERE run.id = more.id";
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let ids: Vec<_> = traffic.iter().map(|(run, _)| signed(*run)).collect();
    let received: Vec<_> = traffic
        .iter()
        .map(|(_, more)| number(more.received))
        .collect();
    let sent: Vec<_> = traffic.iter().map(|(_, more)| number(more.sent)).collect();
    let worked = traffic.iter().map(|(_, more)| more.worked.as_micros());
    let worked: Vec<_> = worked
        .map(|micros| i64::try_from(micros).unwrap_or(i64::MAX))
        .collect();
    let update = tx.prepare_cached(sql).await?;
    tx.execute(&update, &[&ids, &received, &sent, &worked])
        .await?;
    Ok(())
}

/// The traffic of one run, or of all.
async fn traffic(tx: &Tx<'_>, run: Option<RunId>) -> StateResult<Vec<(RunId, Traffic)>> {
    let sql = "SELECT id, bytes_received, bytes_sent, worked FROM run
               WHERE $1::int8 IS NULL OR id = $1";
    let select = tx.prepare_cached(sql).await?;
    let rows = tx.query(&select, &[&run.map(signed)]).await?;
    let read = |found: &Row| {
        let traffic = Traffic {
            received: row::count(found, 1)?,
            sent: row::count(found, 2)?,
            worked: Duration::from_micros(row::count(found, 3)?),
        };
        Ok((RunId(row::id(found, 0)?), traffic))
    };
    rows.iter().map(read).collect()
}

#[async_trait]
impl state::Runs for PostgresState {
    async fn create_run(&self, run: Run, context: Context, fab: Option<Blob>) -> Written<()> {
        let is_pending = run.status.phase == Phase::Pending;
        let (presence, id) = (self.presence(), run.id);
        let starting_at = run.starting_at;
        let create = direct!([run, context, fab] tx => create(tx, &run, &context, fab.as_ref()));
        let written = self.lane.write_then(create, move |()| {
            if let Some(starting_at) = starting_at {
                presence.run_began(id, starting_at);
            }
        });
        written.await?;
        let mut changed = Changed::default();
        changed.wake.extend(is_pending.then_some(Topic::Pending));
        Ok(((), changed))
    }

    async fn fab_blob(&self, hash: &str) -> StateResult<Option<Blob>> {
        reading!(self, tx => blobs::of_fab(tx, hash))
    }

    async fn run(&self, run: RunId) -> StateResult<Option<Run>> {
        reading!(self, tx => get(tx, run))
    }

    async fn runs(&self) -> StateResult<Vec<Run>> {
        reading!(self, tx => all(tx))
    }

    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> Written<()> {
        let (presence, counted, phase) = (self.presence(), self.presence(), to.phase);
        let change = direct!([counted, to] tx => async {
            let freed = lifecycle::change(tx, run, &to, now).await?;
            let traffic = counted.traffic_at(run, to.phase);
            add_traffic(tx, &traffic).await?;
            Ok((freed, traffic))
        });
        let written = self.lane.write_then(change, move |(_, traffic)| {
            presence.run_changed(run, phase, traffic, now)
        });
        let ((freed, _), wake) = (written.await?, vec![Topic::Run(run), Topic::Log(run)]);
        Ok(((), Changed { freed, wake }))
    }

    async fn rewind_run(&self, run: RunId) -> Written<()> {
        let presence = self.presence();
        let rewind = direct!([] tx => lifecycle::rewind(tx, run));
        let freed = self
            .lane
            .write_then(rewind, move |_| presence.run_ended(run));
        let freed = freed.await?;
        let wake = vec![Topic::Run(run), Topic::Log(run), Topic::Pending];
        Ok(((), Changed { freed, wake }))
    }

    async fn context(&self, run: RunId) -> StateResult<Context> {
        reading!(self, tx => context(tx, run))
    }

    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()> {
        self.write(direct!([context] tx => set_context(tx, run, &context)))
            .await
    }

    fn add_traffic(&self, run: RunId, more: Traffic) {
        self.presence.add_traffic(run, more);
    }

    async fn traffic(&self, run: RunId) -> StateResult<Traffic> {
        reading!(self, tx => async {
            let unwritten = self.presence.unwritten_traffic(run);
            let found = traffic(tx, Some(run)).await?.pop();
            let (_, mut so_far) = found.ok_or(Refusal::UnknownRun(run))?;
            so_far += unwritten;
            Ok(so_far)
        })
    }

    async fn all_traffic(&self) -> StateResult<Vec<(RunId, Traffic)>> {
        reading!(self, tx => async {
            let unwritten = self.presence.all_unwritten_traffic();
            let unwritten: HashMap<_, _> = unwritten.into_iter().collect();
            let mut so_far = traffic(tx, None).await?;
            for (run, traffic) in &mut so_far {
                *traffic += unwritten.get(run).copied().unwrap_or_default();
            }
            Ok(so_far)
        })
    }
}
