//! The other SuperLinks that work with a state, and what becomes of the ServerApps of those that die.

use std::future::pending;
use std::time::Duration;

use async_trait::async_trait;
use flwr_core::id::RunId;
use flwr_core::time::Timestamp;
use flwr_daemon::clock::FollowingClock;

use super::{Changed, StateResult, Written};

/// Who tends the ServerApps that come to a SuperLink, and so what its death is to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// Somebody else has started them. They go on at another SuperLink.
    Others,
    /// The SuperLink has started them, and they reach no other.
    Here,
    /// The SuperLink has started them, and they reach the others too.
    Anywhere,
}

/// When a SuperLink counts as dead, and what becomes of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takeover {
    /// For so long it gave no sign of life.
    pub after: Duration,
    /// Whether runs whose ServerApps are lost begin again, each once.
    pub resume: bool,
}

/// A SuperLink that has died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burial {
    /// Its name.
    pub name: String,
    /// The name of its machine.
    pub host: String,
    /// Its runs that begin again.
    pub resumed: Vec<RunId>,
    /// Its runs that have failed.
    pub failed: Vec<RunId>,
}

impl Burial {
    /// Its runs whose ServerApps are lost.
    pub fn runs(&self) -> impl Iterator<Item = &RunId> {
        self.resumed.iter().chain(&self.failed)
    }
}

/// Runs whose ServerApp lived through the burial of its SuperLink, and is lost since.
#[derive(Debug, Default)]
pub struct Orphans {
    /// Those that begin again.
    pub resumed: Vec<RunId>,
    /// Those that have failed.
    pub failed: Vec<RunId>,
}

/// What SuperLinks that work with one state are to each other. A state that has one SuperLink has nothing
/// to do.
#[async_trait]
pub trait Neighbours {
    /// Tells the clock the time that all SuperLinks of the state go by. To be called every few seconds.
    async fn tell_time(&self, _clock: &FollowingClock) -> StateResult<()> {
        Ok(())
    }

    /// Notes for the others who tends the ServerApps that come to this SuperLink.
    async fn note_care(&self, _care: Care) -> StateResult<()> {
        Ok(())
    }

    /// Looks at the other SuperLinks, and buries those that gave no sign of life while this one has looked
    /// all the time. To be called every few seconds.
    ///
    /// # Behavior
    /// - the dead SuperLink can write nothing any more
    /// - its pending runs can be claimed by others, if it has started ServerApps itself
    /// - its other runs begin again or fail, unless their ServerApps reach other SuperLinks and give signs
    ///   of life
    async fn bury(&self, _rule: Takeover, _now: Timestamp) -> Written<Vec<Burial>> {
        Ok((Vec::new(), Changed::default()))
    }

    /// Runs begin again or fail whose ServerApp was started by a SuperLink that is gone, and gave no sign of
    /// life in time. To be called every few seconds.
    async fn end_orphans(&self, _resume: bool, _now: Timestamp) -> Written<Orphans> {
        Ok((Orphans::default(), Changed::default()))
    }

    /// Whether other SuperLinks were there a moment ago.
    fn has_neighbours(&self) -> bool {
        false
    }

    /// Whether another SuperLink has buried this one, or has taken its name or the state.
    fn is_shut_out(&self) -> bool {
        false
    }

    /// Waits until [`is_shut_out`](Self::is_shut_out).
    async fn shut_out(&self) {
        pending().await
    }
}
