//! How much there is of what moves: nodes, runs and messages, as they are counted for people who watch.

use async_trait::async_trait;
use flwr_core::run::{Outcome, Phase};
use flwr_core::time::Timestamp;
use flwr_metrics::{Registry, Seconds};

use super::{NodeStatus, StateResult};

/// How much there is of what moves. Where several SuperLinks share the state, this is of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Census {
    /// Nodes that were registered and have not come yet.
    pub registered: u64,
    /// Nodes that give signs of life.
    pub online: u64,
    /// Nodes that give none.
    pub offline: u64,
    /// Runs that no ServerApp has asked for.
    pub pending: u64,
    /// Runs whose ServerApp has its inputs.
    pub starting: u64,
    /// Runs whose ServerApp exchanges messages.
    pub running: u64,
    /// Runs whose ServerApp returned.
    pub completed: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that a person stopped.
    pub stopped: u64,
    /// Messages that their nodes have not taken.
    pub waiting: u64,
    /// Messages that their nodes have taken and not answered.
    pub in_flight: u64,
    /// When the oldest of these messages was made.
    pub oldest: Option<Timestamp>,
}

impl Census {
    /// Counts a node.
    pub fn add_node(&mut self, status: NodeStatus) {
        match status {
            NodeStatus::Registered => self.registered += 1,
            NodeStatus::Online => self.online += 1,
            NodeStatus::Offline => self.offline += 1,
            NodeStatus::Unregistered => {}
        }
    }

    /// Counts so many runs of one phase.
    pub fn add_runs(&mut self, phase: Phase, number: u64) {
        *match phase {
            Phase::Pending => &mut self.pending,
            Phase::Starting => &mut self.starting,
            Phase::Running => &mut self.running,
            Phase::Finished(Outcome::Completed) => &mut self.completed,
            Phase::Finished(Outcome::Failed) => &mut self.failed,
            Phase::Finished(Outcome::Stopped) => &mut self.stopped,
        } += number;
    }
}

/// How long commits take, and how many changes each has.
#[derive(Debug, Clone)]
pub struct CommitMeter {
    seconds: Seconds,
    jobs: Seconds,
}

impl Default for CommitMeter {
    fn default() -> Self {
        Self {
            seconds: Seconds::new(&[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            jobs: Seconds::new(&[1.0, 4.0, 16.0, 64.0, 256.0]),
        }
    }
}

impl CommitMeter {
    /// A commit of so many changes took so many seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a commit has a few hundred changes at most"
    )]
    pub fn committed(&self, jobs: usize, seconds: f64) {
        self.seconds.observe(seconds);
        self.jobs.observe(jobs as f64);
    }

    /// Names what is counted.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Time of a commit to the state, from its first change to the disk";
        self.seconds.register(registry, "flwr_commit_seconds", help);
        let help = "Changes that one commit brought to the disk";
        self.jobs.register(registry, "flwr_commit_jobs", help);
    }
}

/// Counts what there is.
#[async_trait]
pub trait Counting {
    /// How much there is at `now`. Nothing here grows with the bytes of models, logs or Contexts.
    async fn census(&self, now: Timestamp) -> StateResult<Census>;

    /// What is known of commits; `None` where nothing is committed.
    fn commits(&self) -> Option<&CommitMeter> {
        None
    }
}
