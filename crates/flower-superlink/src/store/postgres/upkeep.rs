//! Deletes old and unwanted runs and nodes, and tells what the database takes.

use std::time::Duration;

use async_trait::async_trait;
use flwr_core::cause::chain;
use flwr_core::id::{NodeId, RunId};
use flwr_core::monotonic;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tokio_postgres::Row;
use tracing::warn;

use super::expiry::{Expire, Expired, is_due};
use super::lane::{broken, direct};
use super::reader::reading;
use super::row::{self, signed};
#[cfg(test)]
use super::signs::{self, Noted};
use super::unit::Tx;
use super::{PostgresState, blobs, follow, life, runs, tasks};
use crate::link::state::{self, Changed, Keep, StateResult, Usage, Written};
use crate::link::wake::Topic;
use crate::store::presence::WRITE_EVERY;

/// How long a database may take until it counts as away. With the period of the looks (2 s), a
/// SuperLink says after 5 s that it does not serve.
const ANSWER: Duration = Duration::from_secs(3);

/// The database did not answer in time.
#[derive(Debug, Error)]
#[error("the database did not answer within {} s", ANSWER.as_secs())]
struct Away;

async fn delete_run(tx: &Tx<'_>, run: RunId) -> StateResult<()> {
    let phase = runs::phase(tx, run).await?;
    if !phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    if tasks::has_process(tx, run).await? {
        return Err(Refusal::ProcessLives(run).into());
    }
    // Messages, objects and tokens went when the run finished.
    for sql in [
        "DELETE FROM log WHERE run = $1",
        "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL WHERE unconfirmed_run = $1",
        "DELETE FROM task WHERE run = $1",
        "DELETE FROM run WHERE id = $1",
    ] {
        tx.execute(sql, &[&signed(run)]).await?;
    }
    Ok(())
}

async fn expendable_runs(
    tx: &Tx<'_>,
    keep: Keep,
    now: Timestamp,
    limit: usize,
) -> StateResult<Vec<RunId>> {
    let Some(until) = keep.until(now) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT count(*) FROM run WHERE finished_at IS NOT NULL";
    let finished = row::count(&tx.query_one(sql, &[]).await?, 0)?;
    // Ids as PostgreSQL sorts them: whichever of two runs that finished at once goes first.
    let sql = "SELECT id FROM (
                 SELECT id, finished_at FROM run WHERE finished_at IS NOT NULL
                 ORDER BY finished_at, id LIMIT $1
               ) AS run WHERE finished_at <= $2
                 AND NOT EXISTS (SELECT 1 FROM task WHERE task.run = run.id AND pid IS NOT NULL)
               ORDER BY finished_at, id LIMIT $3";
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let excess = number(keep.excess(finished));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = tx.query(sql, &[&excess, &until.as_secs(), &limit]).await?;
    let run = |found: &Row| row::id(found, 0).map(RunId);
    found.iter().map(run).collect()
}

/// Bytes of the tables with their indexes; of all, or without those of nodes.
const SIZE: &str = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::int8 FROM pg_class
     WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
       AND ($1 OR relname <> 'node')";

async fn size(tx: &Tx<'_>, with_nodes: bool) -> StateResult<u64> {
    let select = tx.prepare_cached(SIZE).await?;
    row::count(&tx.query_one(&select, &[&with_nodes]).await?, 0)
}

/// The same, with the bytes under names that are used. What is garbage goes within a minute: nobody
/// is refused for that.
async fn used(tx: &Tx<'_>) -> StateResult<u64> {
    let (objects, fabs, _) = blobs::sizes(tx).await?;
    Ok(size(tx, false).await? + objects + fabs)
}

/// A sum over large tables, for calls that ask many times a second.
#[derive(Debug, Default)]
pub(super) struct Lately(Option<(Instant, u64)>);

impl Lately {
    /// How long a sum counts. A limit is exceeded by what comes within this time.
    const COUNTS: Duration = Duration::from_secs(1);

    /// The sum. `None`: the caller counts anew. Others get the sum of before meanwhile.
    fn get(&mut self, now: Instant) -> Option<u64> {
        let (at, sum) = self.0.as_mut()?;
        if now.saturating_duration_since(*at) >= Self::COUNTS {
            *at = now;
            return None;
        }
        Some(*sum)
    }

    const fn set(&mut self, now: Instant, sum: u64) {
        self.0 = Some((now, sum));
    }
}

async fn usage(tx: &Tx<'_>) -> StateResult<Usage> {
    let sql = "SELECT count(*), count(finished_at), coalesce(sum(log_bytes), 0)::int8,
                 coalesce(sum(octet_length(override_config) + octet_length(first_context)
                              + octet_length(context)), 0)::int8,
                 (SELECT count(*) FROM node WHERE unregistered_at IS NULL)
               FROM run";
    let found = tx.query_one(sql, &[]).await?;
    let (objects, fabs, garbage) = blobs::sizes(tx).await?;
    Ok(Usage {
        runs: row::count(&found, 0)?,
        finished: row::count(&found, 1)?,
        log_bytes: row::count(&found, 2)?,
        run_bytes: row::count(&found, 3)?,
        nodes: row::count(&found, 4)?,
        file_bytes: size(tx, true).await?,
        free_bytes: 0,
        object_bytes: objects + garbage,
        fab_bytes: fabs,
    })
}

impl PostgresState {
    /// Writes the signs of life and the traffic that memory has, as [`Expire`] does when they are due.
    #[cfg(test)]
    pub(super) async fn write_signs(&self, now: Timestamp) -> StateResult<()> {
        let (presence, written) = (self.presence(), self.presence());
        let write = direct!([presence] tx => signs::write(tx, &presence, now));
        let then = move |noted: &Noted| noted.is_written(&written, now);
        self.lane.write_then(write, then).await.map(drop)
    }
}

#[async_trait]
impl state::Upkeep for PostgresState {
    async fn used(&self) -> StateResult<u64> {
        let now = monotonic::now();
        let lately = self.used.lock().get(now);
        if let Some(used) = lately {
            return Ok(used);
        }
        let used = reading!(self, tx => used(tx))?;
        self.used.lock().set(now, used);
        Ok(used)
    }

    async fn usage(&self) -> StateResult<Usage> {
        reading!(self, tx => usage(tx))
    }

    async fn delete_run(&self, run: RunId) -> Written<()> {
        self.write(direct!([] tx => delete_run(tx, run))).await?;
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>> {
        reading!(self, tx => expendable_runs(tx, keep, now, limit))
    }

    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> Written<bool> {
        let (presence, forgotten) = (self.presence(), self.presence());
        let forget = direct!([presence] tx => life::forget(tx, &presence, node, moment));
        let is_gone = self.lane.write_then(forget, move |is_gone| {
            if *is_gone {
                forgotten.forgotten(node);
            }
        });
        let (is_gone, mut changed) = (is_gone.await?, Changed::default());
        if is_gone {
            self.wakes.tell_changed(node);
        }
        changed.wake.extend(is_gone.then_some(Topic::Node(node)));
        Ok((is_gone, changed))
    }

    async fn try_to_write(&self) -> StateResult<()> {
        // Each transaction writes its number. Whoever asks for the health of this SuperLink gets an
        // answer before a write gives up.
        let written = timeout(ANSWER, self.write(direct!([] _tx => async { Ok(()) })));
        written.await.unwrap_or_else(|_| Err(broken(Away)))
    }

    async fn give_back(&self) -> StateResult<()> {
        // Autovacuum does.
        Ok(())
    }

    async fn close(&self) {
        let (counted, presence) = (self.presence(), self.presence());
        let write = direct!([counted] tx => async {
            let traffic = counted.all_unwritten_traffic();
            runs::add_traffic(tx, &traffic).await?;
            Ok(traffic)
        });
        let written = self.lane.write_then(write, move |traffic: &Vec<_>| {
            presence.traffic_written(traffic);
        });
        if let Err(error) = written.await {
            let error = chain(&error);
            warn!(
                error,
                "the traffic of runs that was counted last is not kept"
            );
        }
        self.lane.close().await;
        self.wakes.close().await;
    }

    fn move_leases(&self, seconds: f64) {
        self.presence.move_leases(seconds);
    }

    fn extend_leases(&self, since: Timestamp, seconds: f64) {
        self.presence.extend_leases(since, seconds);
    }

    async fn expire(&self, now: Timestamp) -> Written<Vec<RunId>> {
        self.follow(now).await?;
        // Others may begin at any moment, and see by what is written that this SuperLink lives.
        let every = match self.name.is_empty() {
            true => WRITE_EVERY,
            false => follow::EVERY,
        };
        let (presence, mut due) = (self.presence(), self.presence.lost_runs(now));
        if !due.is_empty() && !self.name.is_empty() {
            due = reading!(self, tx => tasks::not_of_others(tx, &due, &self.name))?;
        }
        if !reading!(self, tx => is_due(tx, &due, &presence, (every, now)))? {
            return Ok((Vec::new(), Changed::default()));
        }
        let expire = Expire {
            presence: self.presence(),
            due,
            every,
            now,
        };
        let written = self.lane.write_then(expire, move |expired: &Expired| {
            for run in expired.lost.iter().chain(&expired.over) {
                presence.run_ended(*run);
            }
            for (run, until) in &expired.elsewhere {
                presence.run_lives_elsewhere(*run, *until);
            }
            if let Some(noted) = &expired.noted {
                noted.is_written(&presence, now);
            }
        });
        let expired = written.await?;
        Ok((expired.lost, expired.changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_counts_for_a_second_and_one_caller_counts_anew() {
        let (mut lately, now) = (Lately::default(), monotonic::now());
        assert_eq!(lately.get(now), None);
        lately.set(now, 7);
        let later = |millis| now + Duration::from_millis(millis);
        assert_eq!(lately.get(later(999)), Some(7));
        assert_eq!(lately.get(later(1000)), None);
        assert_eq!(lately.get(later(1001)), Some(7));
        lately.set(later(1002), 8);
        assert_eq!(lately.get(later(1003)), Some(8));
    }
}
