//! Deletes old and unwanted runs and nodes, and gives their space back.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, params};
use tracing::warn;

use super::row::{self, signed};
use super::runs;
use super::{SqliteState, expiry, file, life, tasks};
use crate::link::state::{self, Changed, Keep, StateResult, Usage, Written};
use crate::link::wake::Topic;

/// Steps of [`give_back`] in a row, as long as nobody else writes.
pub(super) const STEPS: usize = 8;
/// Pages that a step gives back: 1 MiB. A commit that comes meanwhile waits for one step.
const STEP_PAGES: u64 = 256;
/// Bytes that a node takes with the index of its key, in pages that are filled by two thirds. Nodes do
/// not count: where there is no list anybody can register them, and they must not keep people from
/// their work.
const NODE_BYTES: u64 = 768;
/// Free pages that stay, 4 MiB: messages come and go, and need not make the file grow each time.
const SLACK_PAGES: u64 = 1024;

pub(super) fn delete_run(connection: &Connection, run: RunId) -> StateResult<()> {
    let phase = runs::phase(connection, run)?;
    if !phase.is_finished() {
        return Err(Refusal::RunIs { run, phase }.into());
    }
    if tasks::has_process(connection, run)? {
        return Err(Refusal::ProcessLives(run).into());
    }
    // Messages, objects and tokens went when the run finished.
    for sql in [
        "DELETE FROM log WHERE run = ?",
        "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL WHERE unconfirmed_run = ?",
        "DELETE FROM task WHERE run = ?",
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
           SELECT id, finished_at FROM run WHERE finished_at IS NOT NULL
           ORDER BY finished_at, id LIMIT ?
         ) AS run WHERE finished_at <= ?
           AND NOT EXISTS (SELECT 1 FROM task WHERE task.run = run.id AND pid IS NOT NULL)
         LIMIT ?",
    )?;
    let ids = select.query_map(
        params![keep.excess(finished), until.as_secs(), limit],
        |row| row::id(row, 0).map(RunId),
    )?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(in crate::store) fn usage(connection: &Connection) -> StateResult<Usage> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    let page = number("page_size")?;
    let mut runs = connection.prepare(
        "SELECT count(*), count(finished_at), coalesce(sum(log_bytes), 0),
           coalesce(sum(octet_length(override_config) + octet_length(first_context)
                        + octet_length(context)), 0) FROM run",
    )?;
    let nodes = connection.query_row(
        "SELECT count(*) FROM node WHERE unregistered_at IS NULL",
        [],
        |row| row.get(0),
    )?;
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

#[async_trait]
impl state::Upkeep for SqliteState {
    async fn used(&self) -> StateResult<u64> {
        let nodes = NODE_BYTES * self.presence.rows();
        let used = self.reader.read(file::used).await?;
        Ok(used.saturating_sub(nodes))
    }

    async fn usage(&self) -> StateResult<Usage> {
        self.reader.read(usage).await
    }

    async fn delete_run(&self, run: RunId) -> Written<()> {
        self.writer.write(move |c| delete_run(c, run)).await?;
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>> {
        self.reader
            .read(move |c| expendable_runs(c, keep, now, limit))
            .await
    }

    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> Written<bool> {
        let (presence, forgotten) = (self.presence(), self.presence());
        let is_gone = self.writer.write_then(
            move |c| life::forget(c, &presence, node, moment),
            move |gone| {
                if *gone {
                    forgotten.forgotten(node);
                }
            },
        );
        let (is_gone, mut changed) = (is_gone.await?, Changed::default());
        changed.wake.extend(is_gone.then_some(Topic::Node(node)));
        Ok((is_gone, changed))
    }

    async fn try_to_write(&self) -> StateResult<()> {
        self.writer.write(file::mark).await
    }

    async fn give_back(&self) -> StateResult<()> {
        let mut steps = 0;
        while steps < STEPS && self.writer.is_idle() && self.reader.read(spare_pages).await? > 0 {
            self.writer.write(give_back).await?;
            steps += 1;
        }
        if steps > 0 {
            self.writer.checkpoint().await;
        }
        Ok(())
    }

    async fn close(&self) {
        let (counted, presence) = (self.presence(), self.presence());
        let written = self.writer.write_then(
            move |c| {
                let traffic = counted.all_unwritten_traffic();
                runs::add_traffic(c, &traffic)?;
                Ok(traffic)
            },
            move |traffic: &Vec<_>| presence.traffic_written(traffic),
        );
        if let Err(error) = written.await {
            let error = &error as &dyn std::error::Error;
            warn!(
                error,
                "the traffic of runs that was counted last is not kept"
            );
        }
        self.writer.close().await;
    }

    fn move_leases(&self, seconds: f64) {
        self.presence.move_leases(seconds);
    }

    fn extend_leases(&self, since: Timestamp, seconds: f64) {
        self.presence.extend_leases(since, seconds);
    }

    async fn expire(&self, now: Timestamp) -> Written<Vec<RunId>> {
        let lost = self.presence.lost_runs(now);
        let presence = self.presence();
        let due = self
            .reader
            .read({
                let (lost, presence) = (lost.clone(), self.presence());
                move |c| expiry::is_due(c, &lost, &presence, now)
            })
            .await?;
        if !due {
            return Ok((Vec::new(), Changed::default()));
        }
        let written = self.presence();
        self.writer
            .write_then(
                move |c| expiry::expire(c, lost, &written, now),
                move |expired: &expiry::Expired| {
                    for run in &expired.lost {
                        presence.run_ended(*run);
                    }
                    presence.traffic_written(&expired.traffic);
                },
            )
            .await
            .map(|expired| (expired.lost, expired.changed))
    }
}
