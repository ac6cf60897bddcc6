//! Forgets the runs that ended while this node had nothing to do for them.

use std::time::Duration;

use flwr_core::id::RunId;
use futures::{StreamExt, stream};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::worker::Worker;

/// How often the worker looks for runs to ask about.
const PERIOD: Duration = Duration::from_secs(1);
/// How many GetRun calls are open at once. A node may know many runs.
const AT_ONCE: usize = 4;
/// A call on a dead connection must not hold up the questions about other runs.
const ANSWER_SOON: Duration = Duration::from_secs(10);

impl Worker {
    /// Asks about all idle runs, again and again. Never ends.
    pub(super) async fn keep_sweeping(&self) {
        loop {
            sleep(PERIOD).await;
            let idle = stream::iter(self.runs.lock().idle());
            idle.for_each_concurrent(AT_ONCE, |run| self.forget_if_over(run))
                .await;
        }
    }

    async fn forget_if_over(&self, run: RunId) {
        let upstream = &self.parts.upstream;
        let asked = async { upstream.is_over(upstream.node().await, run).await };
        let is_over = timeout(ANSWER_SOON, asked).await.unwrap_or(false);
        // A message of the run may have come meanwhile. Its worker asks about the run as well.
        if is_over && !self.runs.lock().is_at_work(run) {
            debug!(run_id = %run, "the run is over; its processes and its state are dropped");
            self.forget(run).await;
        }
    }
}
