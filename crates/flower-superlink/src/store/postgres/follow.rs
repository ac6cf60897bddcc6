//! What other SuperLinks have written of nodes and of runs' processes, read into memory. Where there are no
//! others, nothing is read.

use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::monotonic;
use flwr_core::time::Timestamp;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::row::{self, signed};
use super::unit::Tx;
use super::{PostgresState, certificates, dismissed, nodes, tasks};
use crate::link::state::StateResult;
use crate::link::wake::Topic;
use crate::store::postgres::reader::reading;
use crate::store::presence::{Presence, Seen};

/// Seconds between two looks at all nodes while there are other SuperLinks, and between two writings of
/// signs of life where there may be others.
pub(super) const EVERY: f64 = 5.0;

/// Between two looks at most. Of a longer time nothing is known: the database was away, or this SuperLink stood
/// still, and what others have heard meanwhile may not be written yet.
pub(super) const GAP: Duration = Duration::from_secs(15);

/// The signs of life of all nodes that are registered.
async fn signs(tx: &Tx<'_>) -> StateResult<Vec<Seen>> {
    let sql = "SELECT id, edition, session, heard, activated_at, deactivated_at, online_until
               FROM node WHERE unregistered_at IS NULL";
    let select = tx.prepare_cached(sql).await?;
    let seen = |found: &Row| {
        Ok(Seen {
            node: NodeId(row::id(found, 0)?),
            edition: row::get(found, 1)?,
            session: row::id(found, 2)?,
            heard: row::get(found, 3)?,
            activated_at: row::maybe_moment(found, 4)?,
            deactivated_at: row::maybe_moment(found, 5)?,
            online_until: row::moment(found, 6)?,
        })
    };
    tx.query(&select, &[]).await?.iter().map(seen).collect()
}

/// Reads the rows of these nodes into memory. Gives the nodes whose held calls are over.
pub(super) async fn some(
    tx: &Tx<'_>,
    presence: &Presence,
    nodes: &[NodeId],
    changes: u64,
) -> StateResult<Vec<NodeId>> {
    let ids: Vec<_> = nodes.iter().copied().map(signed).collect();
    let rows = nodes::rows(tx, &ids).await?;
    if rows.len() < ids.len() {
        for key in dismissed::of_nodes(tx, &ids).await? {
            presence.dismissed(key);
        }
    }
    Ok(presence.take_over(nodes, rows, changes))
}

/// Reads into memory what others have changed of nodes. Gives the nodes whose held calls are over.
pub(super) async fn all_nodes(
    tx: &Tx<'_>,
    presence: &Presence,
    changes: u64,
) -> StateResult<Vec<NodeId>> {
    let (unknown, mut over) = presence.see(&signs(tx).await?, changes);
    if !unknown.is_empty() {
        over.extend(some(tx, presence, &unknown, changes).await?);
    }
    Ok(over)
}

/// The same of all that memory knows.
async fn all(
    tx: &Tx<'_>,
    presence: &Presence,
    changes: u64,
    now: Timestamp,
) -> StateResult<Vec<NodeId>> {
    let over = all_nodes(tx, presence, changes).await?;
    presence.take_over_tasks(&tasks::leases(tx).await?, changes, now);
    let (dismissed, certificates) = (dismissed::all(tx).await?, certificates::all(tx).await?);
    presence.take_over_people(dismissed, certificates, changes);
    Ok(over)
}

impl PostgresState {
    /// Reads the rows of these nodes into memory, since another SuperLink may have changed them a moment ago.
    pub(super) async fn find(&self, nodes: &[NodeId]) -> StateResult<()> {
        if self.wakes.has_neighbours() {
            let _turn = self.wakes.reads().await;
            let changes = self.presence.changes();
            let over = reading!(self, tx => some(tx, &self.presence, nodes, changes))?;
            let over: Vec<_> = over.into_iter().map(Topic::Node).collect();
            self.wakes.wake(&over);
        }
        Ok(())
    }

    /// Reads the row of the node into memory, unless memory has it.
    pub(super) async fn know(&self, node: NodeId) -> StateResult<()> {
        match self.presence.session(node) {
            Some(_) => Ok(()),
            None => self.find(&[node]).await,
        }
    }

    /// Takes over what other SuperLinks have changed, if a look is due.
    pub(super) async fn follow(&self, now: Timestamp) -> StateResult<()> {
        if !self.wakes.has_neighbours() {
            return Ok(());
        }
        let mut is_due = self.followed.lock().is_due(now);
        if !is_due && self.followed.lock().has_failed {
            // Perhaps the first look is under way after the database was away.
            drop(self.wakes.reads().await);
            is_due = self.followed.lock().is_due(now);
        }
        if !is_due {
            return Ok(());
        }
        let caught_up = self.catch_up(now).await;
        caught_up.inspect_err(|_| self.followed.lock().failed())
    }

    /// Takes over what other SuperLinks have changed.
    pub(super) async fn catch_up(&self, now: Timestamp) -> StateResult<()> {
        let _turn = self.wakes.reads().await;
        let changes = self.presence.changes();
        let over = reading!(self, tx => all(tx, &self.presence, changes, now))?;
        let away = self.followed.lock().looked(monotonic::now());
        if let Some(away) = away {
            self.presence.return_after(away.as_secs_f64(), now);
        }
        let over: Vec<_> = over.into_iter().map(Topic::Node).collect();
        self.wakes.wake(&over);
        Ok(())
    }
}

/// When the last look was.
#[derive(Debug, Default)]
pub(super) struct Followed {
    at: Option<Timestamp>,
    /// When the last look ended that read something.
    read_at: Option<Instant>,
    /// A look since then read nothing.
    has_failed: bool,
}

impl Followed {
    fn is_due(&mut self, now: Timestamp) -> bool {
        let is_due = self
            .at
            .is_none_or(|at| !(0.0..EVERY).contains(&now.since(at)));
        if is_due {
            self.at = Some(now);
        }
        is_due
    }

    /// As if nothing could be read for so long.
    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.read_at = self.read_at.and_then(|at| at.checked_sub(by));
        self.failed();
    }

    /// A look has read nothing. The next call tries again.
    fn failed(&mut self) {
        self.at = None;
        self.has_failed = true;
    }

    /// A look has read something. Gives the time since the one before, if looks failed for so long that the
    /// others may have had no database to write to.
    fn looked(&mut self, now: Instant) -> Option<Duration> {
        let has_failed = std::mem::take(&mut self.has_failed);
        let passed = now.saturating_duration_since(self.read_at.replace(now)?);
        (has_failed && passed > GAP).then_some(passed)
    }
}
