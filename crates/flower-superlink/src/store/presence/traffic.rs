//! The traffic of runs that is counted and not on disk yet, and what the end of a run changes.

use flwr_core::id::RunId;
use flwr_core::run::Phase;
use flwr_core::time::Timestamp;

use super::Presence;
use crate::link::state::Traffic;

impl Presence {
    /// The run came into this phase, and this traffic of runs was written with that.
    pub(in crate::store) fn run_changed(
        &self,
        run: RunId,
        phase: Phase,
        written: &[(RunId, Traffic)],
        now: Timestamp,
    ) {
        match phase {
            Phase::Starting => self.run_began(run, now),
            Phase::Finished(_) => {
                self.run_ended(run);
                self.traffic_written(written);
            }
            Phase::Pending | Phase::Running => {}
        }
    }

    /// What is to be added to the run's traffic on disk.
    pub(in crate::store) fn unwritten_traffic(&self, run: RunId) -> Traffic {
        self.0.lock().traffic.get(&run).copied().unwrap_or_default()
    }

    /// The same of all runs.
    pub(in crate::store) fn all_unwritten_traffic(&self) -> Vec<(RunId, Traffic)> {
        let inner = self.0.lock();
        inner
            .traffic
            .iter()
            .map(|(run, more)| (*run, *more))
            .collect()
    }

    /// What is to be added with a run's change to this phase: nothing before its end.
    pub(in crate::store) fn traffic_at(&self, run: RunId, phase: Phase) -> Vec<(RunId, Traffic)> {
        match phase {
            Phase::Finished(_) => vec![(run, self.unwritten_traffic(run))],
            _ => Vec::new(),
        }
    }

    /// This is on disk.
    pub(in crate::store) fn traffic_written(&self, written: &[(RunId, Traffic)]) {
        let mut inner = self.0.lock();
        for (run, written) in written {
            if let Some(more) = inner.traffic.get_mut(run) {
                *more -= *written;
            }
        }
        inner.traffic.retain(|_, more| *more != Traffic::default());
    }
}
