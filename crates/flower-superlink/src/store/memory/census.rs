//! Counts nodes, runs and messages.

use async_trait::async_trait;
use flwr_core::time::Timestamp;

use super::MemoryState;
use crate::link::state::{Census, Counting, StateResult};

#[async_trait]
impl Counting for MemoryState {
    async fn census(&self, now: Timestamp) -> StateResult<Census> {
        let inner = self.0.lock();
        let mut census = Census::default();
        for node in inner.nodes.known() {
            census.add_node(node.status(now));
        }
        for state in inner.runs.values() {
            census.add_runs(state.run().status.phase, 1);
            for (is_taken, made) in state.unanswered() {
                match is_taken {
                    true => census.in_flight += 1,
                    false => census.waiting += 1,
                }
                let before = census.oldest.unwrap_or(made);
                census.oldest = Some(before.min(made));
            }
        }
        Ok(census)
    }
}
