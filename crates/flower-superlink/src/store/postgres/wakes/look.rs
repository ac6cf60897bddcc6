//! The look that makes up for lost wake-ups: one for all held calls, every two seconds, and only
//! while there are other SuperLinks, or the line does not hear.

use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::Pool;
use flwr_core::cause::chain;
use flwr_core::id::NodeId;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::super::{follow, instructions, reader};
use super::Shared;
use crate::link::state::StateResult;
use crate::link::wake::{Topic, Wake};

/// How often to look.
const PERIOD: Duration = Duration::from_secs(2);
/// Nodes in one statement at most.
const AT_ONCE: usize = 5_000;

impl Shared {
    /// Looks for the callers that wait here. Never ends.
    pub(super) async fn look(&self, pool: Pool) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    if self.is_whole.load(Ordering::Acquire) && !self.has_neighbours() {
                        continue;
                    }
                }
                () = self.look_now.notified() => {}
            }
            if let Err(error) = self.read_changed(&pool).await {
                debug!(
                    error = chain(&error),
                    "what others changed of nodes could not be read"
                );
            }
            let Some(hub) = self.hub.get() else {
                continue;
            };
            if let Err(error) = self.wake_those_who_have_something(&pool, hub).await {
                debug!(error = chain(&error), "nobody could look for held calls");
            }
        }
    }

    /// Reads the rows that others have changed, and wakes whose held calls are over.
    async fn read_changed(&self, pool: &Pool) -> StateResult<()> {
        let changed = std::mem::take(&mut *self.changed.lock());
        if changed.is_empty() {
            return Ok(());
        }
        let _turn = self.reads.lock().await;
        let read = async {
            let changes = self.presence.changes();
            let mut connection = pool.get().await?;
            let snapshot = reader::snapshot(&mut connection).await?;
            let over = match changed.all {
                true => follow::all_nodes(&snapshot, &self.presence, changes).await?,
                false => {
                    let nodes: Vec<_> = changed.nodes.iter().copied().collect();
                    follow::some(&snapshot, &self.presence, &nodes, changes).await?
                }
            };
            snapshot.commit().await?;
            StateResult::Ok(over)
        };
        let over = read.await.inspect_err(|_| {
            // The next look tries again.
            let mut again = self.changed.lock();
            again.all |= changed.all;
            again.nodes.extend(&changed.nodes);
        })?;
        let over: Vec<_> = over.into_iter().map(Topic::Node).collect();
        self.wake(&over);
        Ok(())
    }

    async fn wake_those_who_have_something(&self, pool: &Pool, hub: &Wake) -> StateResult<()> {
        let mut nodes = Vec::new();
        for topic in hub.topics() {
            match topic {
                Topic::Node(node) => nodes.push(node),
                // There are few runs, and each looks for itself.
                other => hub.notify(other),
            }
        }
        for some in nodes.chunks(AT_ONCE) {
            let found: Vec<_> = having_something(pool, some).await?;
            let found: Vec<_> = found.into_iter().map(Topic::Node).collect();
            self.presence.look_again(&found);
            for node in found {
                hub.notify(node);
            }
        }
        Ok(())
    }
}

async fn having_something(pool: &Pool, nodes: &[NodeId]) -> StateResult<Vec<NodeId>> {
    let mut connection = pool.get().await?;
    let snapshot = reader::snapshot(&mut connection).await?;
    let found = instructions::queued(&snapshot, nodes).await?;
    snapshot.commit().await?;
    Ok(found)
}
