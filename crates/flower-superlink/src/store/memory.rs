//! The state in memory: gone with the process.
//!
//! One lock around plain maps. Nothing is awaited and nothing is slow while it is held: the
//! largest step is proportional to the messages that one call names.

use std::collections::{BTreeMap, BTreeSet};

use flwr_core::id::RunId;
use flwr_security::joining::JoinTokenId;
use parking_lot::Mutex;

use flwr_core::refusal::Refusal;

use crate::link::state::{KnownToken, LinkState, Logins, Neighbours, Settings, Shared};

mod census;
mod joining;
mod logs;
mod messages;
mod metrics;
mod nodes;
mod objects;
mod run;
mod runs;
mod tasks;
mod upkeep;

use nodes::Nodes;
use run::RunState;
use tasks::Tasks;

/// The state in memory.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<Inner>);

impl Shared for MemoryState {}

impl Logins for MemoryState {}
impl Neighbours for MemoryState {}

impl Settings for MemoryState {}

impl LinkState for MemoryState {}

#[cfg(test)]
impl MemoryState {
    /// How many instructions were looked up for their answers.
    pub(crate) fn looked_up(&self) -> usize {
        self.0.lock().looked_up
    }
}

#[derive(Debug, Default)]
struct Inner {
    nodes: Nodes,
    runs: BTreeMap<RunId, RunState>,
    /// Those of the runs that are pending.
    pending: BTreeSet<RunId>,
    tasks: Tasks,
    join_tokens: BTreeMap<JoinTokenId, KnownToken>,
    #[cfg(test)]
    looked_up: usize,
}

impl Inner {
    fn run(&mut self, run: RunId) -> Result<&mut RunState, Refusal> {
        self.runs.get_mut(&run).ok_or(Refusal::UnknownRun(run))
    }

    fn running(&mut self, run: RunId) -> Result<&mut RunState, Refusal> {
        let state = self.run(run)?;
        state.require_running()?;
        Ok(state)
    }
}
