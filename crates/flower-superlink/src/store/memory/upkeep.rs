//! What is deleted since it is old or not wanted any more.

use flwr_core::id::{NodeId, RunId};
use flwr_core::refusal::Refusal;
use flwr_core::run::Phase;
use flwr_core::time::Timestamp;

use super::Inner;
use crate::link::state::{Keep, Usage};

impl Inner {
    pub(super) fn delete_run(&mut self, run: RunId) -> Result<(), Refusal> {
        let state = self.run(run)?;
        let phase = state.run().status.phase;
        if !phase.is_finished() {
            return Err(Refusal::RunIs { run, phase });
        }
        if state.app.is_some() {
            return Err(Refusal::ProcessLives(run));
        }
        self.nodes.forget_run(run);
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
                    state.app.is_none(),
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
        let seen = self.nodes.online_until(node);
        let may_go = seen.is_some_and(|seen| seen < moment)
            && !self
                .runs
                .values()
                .any(|state| state.has_instruction_for(node));
        if may_go {
            self.nodes.remove(node);
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
            file_bytes: 0,
            free_bytes: 0,
        }
    }
}
