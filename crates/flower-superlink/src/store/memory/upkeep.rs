//! Deletes old and unwanted runs and nodes.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::run::{Phase, RunStatus};
use flwr_core::time::Timestamp;

use super::{Inner, MemoryState};
use crate::link::state::{self, Changed, Keep, KnownNode, StateResult, Usage, Written};
use crate::link::wake::Topic;
use crate::store::{LOST, lost_line};
use flwr_core::refusal::Refusal;

impl Inner {
    pub(super) fn delete_run(&mut self, run: RunId) -> Result<(), Refusal> {
        let state = self.run(run)?;
        let phase = state.run().status.phase;
        if !phase.is_finished() {
            return Err(Refusal::RunIs { run, phase });
        }
        if self.tasks.has_process(run) {
            return Err(Refusal::ProcessLives(run));
        }
        self.nodes.forget_run(run);
        self.tasks.forget_run(run);
        self.runs.remove(&run);
        Ok(())
    }

    pub(super) fn expendable_runs(&self, keep: Keep, now: Timestamp, limit: usize) -> Vec<RunId> {
        let Some(until) = keep.until(now) else {
            return Vec::new();
        };
        let mut finished: Vec<_> = self
            .runs
            .values()
            .filter_map(|state| {
                let run = state.run();
                Some((
                    run.finished_at?,
                    run.id.0.cast_signed(),
                    !self.tasks.has_process(run.id),
                ))
            })
            .collect();
        finished.sort_unstable();
        let excess = keep.excess(finished.len() as u64);
        finished.truncate(usize::try_from(excess).unwrap_or(usize::MAX));
        finished
            .into_iter()
            .filter(|(at, _, has_ended)| *at <= until && *has_ended)
            .map(|(_, id, _)| RunId(id.cast_unsigned()))
            .take(limit)
            .collect()
    }

    pub(super) fn forget_node(&mut self, node: NodeId, moment: Timestamp) -> bool {
        let seen = self.nodes.node(node).map(KnownNode::last_seen);
        let may_go = seen.is_some_and(|seen| seen < moment)
            && !self
                .runs
                .values()
                .any(|state| state.has_instruction_for(node));
        if may_go {
            self.nodes.forget(node);
        }
        may_go
    }

    pub(super) fn usage(&self) -> Usage {
        let runs = self.runs.values();
        let is_finished = |phase| matches!(phase, Phase::Finished(_));
        Usage {
            runs: self.runs.len() as u64,
            finished: runs
                .clone()
                .filter(|state| is_finished(state.run().status.phase))
                .count() as u64,
            run_bytes: runs.clone().map(|state| state.bytes()).sum(),
            log_bytes: runs.map(|state| state.log.bytes()).sum(),
            nodes: self.nodes.count(),
            ..Usage::default()
        }
    }
}

#[async_trait]
impl state::Upkeep for MemoryState {
    async fn used(&self) -> StateResult<u64> {
        Ok(0)
    }

    async fn usage(&self) -> StateResult<Usage> {
        Ok(self.0.lock().usage())
    }

    async fn delete_run(&self, run: RunId) -> Written<()> {
        self.0.lock().delete_run(run)?;
        Ok(((), Changed::wake([Topic::Log(run)])))
    }

    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>> {
        Ok(self.0.lock().expendable_runs(keep, now, limit))
    }

    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> Written<bool> {
        let is_gone = self.0.lock().forget_node(node, moment);
        let mut changed = Changed::default();
        changed.wake.extend(is_gone.then_some(Topic::Node(node)));
        Ok((is_gone, changed))
    }

    async fn try_to_write(&self) -> StateResult<()> {
        Ok(())
    }

    async fn give_back(&self) -> StateResult<()> {
        Ok(())
    }

    async fn close(&self) {}

    fn move_leases(&self, seconds: f64) {
        let mut inner = self.0.lock();
        inner.nodes.move_leases(seconds);
        inner.tasks.move_leases(seconds);
    }

    fn extend_leases(&self, since: Timestamp, seconds: f64) {
        let mut inner = self.0.lock();
        inner.nodes.extend_leases(since, seconds);
        inner.tasks.extend_leases(since, seconds);
    }

    async fn expire(&self, now: Timestamp) -> Written<Vec<RunId>> {
        let mut inner = self.0.lock();
        let mut changed = Changed::default();
        for state in inner.runs.values_mut() {
            changed.freed.extend(state.drop_expired(now));
        }
        let lost = inner.tasks.lost_runs(now);
        for run in &lost {
            let status = RunStatus::failed(LOST);
            inner.run(*run)?.log.append(&lost_line(), now);
            changed.freed.extend(inner.change_run(*run, status, now)?);
            changed.wake.extend([Topic::Run(*run), Topic::Log(*run)]);
        }
        let has_dropped = inner.drop_unused_tokens(now);
        changed.wake.extend(has_dropped.then_some(Topic::Pending));
        Ok((lost, changed))
    }
}
