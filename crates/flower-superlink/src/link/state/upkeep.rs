//! How long finished runs are kept, and what a state takes.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::time::Timestamp;

use super::{StateResult, Written};

/// Seconds for which every finished run stays, whatever [`Keep`] says: `flwr` reads the end of the
/// log and how the run ended.
pub const READ: f64 = 10.0;

/// Which finished runs are kept (`--keep-runs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// All of them.
    #[default]
    Forever,
    /// This many, those that finished last.
    Newest(u64),
    /// Those that finished within this time.
    For(Duration),
}

impl Keep {
    /// Runs that finished later than this moment are kept; `None`: all runs are.
    #[must_use]
    pub fn until(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Forever => None,
            Self::Newest(_) => Some(now + -READ),
            Self::For(time) => Some(now + -time.as_secs_f64().max(READ)),
        }
    }

    /// How many of `finished` runs are not kept, however old they are.
    #[must_use]
    pub const fn excess(self, finished: u64) -> u64 {
        match self {
            Self::Forever => 0,
            Self::Newest(number) => finished.saturating_sub(number),
            Self::For(_) => finished,
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => write!(f, "for ever"),
            Self::Newest(1) => write!(f, "until another run finishes"),
            Self::Newest(number) => write!(f, "until {number} later runs are finished"),
            Self::For(time) => {
                let seconds = time.as_secs();
                let (number, unit) = [(86_400, "day"), (3_600, "hour"), (60, "minute")]
                    .into_iter()
                    .find(|(length, _)| seconds.is_multiple_of(*length))
                    .map_or((seconds, "second"), |(length, unit)| {
                        (seconds / length, unit)
                    });
                write!(
                    f,
                    "for {number} {unit}{}",
                    if number == 1 { "" } else { "s" }
                )
            }
        }
    }
}

/// What a state holds, and what of its file that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Runs.
    pub runs: u64,
    /// Those of the runs that are finished.
    pub finished: u64,
    /// Bytes of the runs' Contexts and configurations.
    pub run_bytes: u64,
    /// Bytes of the runs' logs.
    pub log_bytes: u64,
    /// Nodes that are registered.
    pub nodes: u64,
    /// Bytes of the file; 0 where there is none.
    pub file_bytes: u64,
    /// Bytes of the file that hold nothing.
    pub free_bytes: u64,
    /// Bytes of objects under names that the state knows.
    pub object_bytes: u64,
    /// The same of FABs.
    pub fab_bytes: u64,
}

/// Time, space, and the end.
#[async_trait]
pub trait Upkeep {
    /// Bytes that the state takes on disk, but for nodes, with the bytes under names that it knows;
    /// 0 where it takes none.
    async fn used(&self) -> StateResult<u64>;

    /// What takes the space. It looks at every run: not for the hot path.
    async fn usage(&self) -> StateResult<Usage>;

    /// Deletes a finished run, with its log and all that names it.
    ///
    /// # Behavior
    /// - the run is not finished: refused with [`Refusal::RunIs`](super::Refusal::RunIs)
    /// - its ServerApp process is noted: refused with [`Refusal::ProcessLives`](super::Refusal::ProcessLives)
    async fn delete_run(&self, run: RunId) -> Written<()>;

    /// Finished runs that `keep` does not cover and [`Self::delete_run`] would not refuse: those
    /// that finished first, at most `limit`.
    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>>;

    /// Forgets a node that was not online since `moment`, or was unregistered before. False if the
    /// node was there since, is not known, or an instruction for it is still there.
    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> Written<bool>;

    /// Writes something without a meaning: an error says that nothing can be written now.
    async fn try_to_write(&self) -> StateResult<()>;

    /// Gives free space back to the file system, a little at a time, and nothing while there is
    /// something to write. A little of it stays for what comes next.
    async fn give_back(&self) -> StateResult<()>;

    /// Brings everything to its place on disk. Nothing can be changed after that.
    async fn close(&self);

    /// The clock was set, by so many seconds: what nodes and runs have left of their time to give
    /// a sign of life stays as it was.
    fn move_leases(&self, seconds: f64);

    /// The SuperLink was away after `since`, for so many seconds: nodes and runs that had time left
    /// then to give a sign of life have it again.
    fn extend_leases(&self, since: Timestamp, seconds: f64);

    /// Lets go of what is over at `now`: instructions expired for a while, runs whose ServerApp
    /// gave no sign of life, and unused tokens of pending runs. Gives the runs that were lost by
    /// that: they failed.
    async fn expire(&self, now: Timestamp) -> Written<Vec<RunId>>;
}
