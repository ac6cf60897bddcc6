//! Launch, and how launched runs end. Only SuperLinks of ours serve Launch, so that nothing is asked.

use flwr_core::id::RunId;
use flwr_core::port::{Launch, Result};
use flwr_core::run::RunStatus;
use flwr_wire::generations::v1_21_runs::watch;
use flwr_wire::launch::call::launch_over;

use crate::line::Line;

/// Launch over this line, and the way to see how launched runs end.
#[must_use]
pub fn launch<L: Line>(line: L) -> (impl Launch, RunWatch<L>) {
    (launch_over(line.clone()), RunWatch { line })
}

/// Sees how runs end.
#[derive(Debug, Clone)]
pub struct RunWatch<L> {
    line: L,
}

impl<L: Line> RunWatch<L> {
    /// Where a run stands. `None`: the SuperLink does not know the run.
    ///
    /// # Errors
    /// If the SuperLink gives no answer.
    pub async fn status(&self, run: RunId) -> Result<Option<RunStatus>> {
        watch::status(&self.line, run).await
    }

    /// Moves a run on.
    ///
    /// # Errors
    /// If the run is not known, or cannot go there.
    pub async fn set_status(&self, run: RunId, to: RunStatus) -> Result<()> {
        watch::set_status(&self.line, run, to).await
    }
}
