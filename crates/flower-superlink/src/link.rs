//! The domain: what nodes, runs, messages, objects and logs do, independent of who asks over
//! which wire. Rules live here; what must not be forgotten is in [`state`]; who waits is in
//! [`wake`].

use std::sync::Arc;
use std::time::Duration;

use flwr_core::time::Timestamp;
use flwr_daemon::clock::Clock;
use flwr_daemon::stop::Stopper;
use parking_lot::Mutex;
use tracing::warn;

pub mod blobs;
pub mod state;
pub mod wake;

mod burial;
mod commit;
mod connections;
mod damage;
mod disk;
mod enrolment;
mod fabs;
mod joining;
mod logs;
mod messages;
mod nodes;
mod objects;
mod pace;
mod permission;
mod quota;
mod reach;
mod runs;
pub mod settings;
mod starts;
mod steps;
mod tallies;
mod tasks;
mod upkeep;
mod waiting;
mod wires;

pub use enrolment::Label;
pub use joining::TokenTerms;
pub use permission::Principal;
pub use starts::is_the_federation;
pub use state::Keep;
pub use tasks::token_id;
pub use upkeep::Space;
pub use waiting::Waits;

use blobs::BlobStore;
use commit::{Commits, Stores};
use connections::Connections;
use disk::Disk;
use objects::Taken;
use pace::Pace;
use quota::Outputs;
use reach::Reach;
use state::{LinkState, own_line};
use steps::{Event, Steps};
use tallies::Tallies;
use tasks::Processes;
use waiting::Waiting;
use wake::Wake;

/// How long calls are held when there is nothing to answer yet.
#[derive(Debug, Clone, Copy)]
pub struct Holds {
    /// A node that asks for a message. Under the 60 s after which common proxies cut idle calls.
    pub node: Duration,
    /// A ServerApp that asks for replies. Its own `timeout` is checked only between two calls.
    pub app: Duration,
    /// Once there is a first reply: what later ones may take to come along with it, for an app
    /// that would sleep 3 s after a partial answer.
    pub linger: Duration,
    /// The same for an app that asks again at once.
    pub short_linger: Duration,
}

impl Default for Holds {
    fn default() -> Self {
        Self {
            node: Duration::from_secs(20),
            app: Duration::from_secs(10),
            linger: Duration::from_secs(3),
            short_linger: Duration::from_millis(200),
        }
    }
}

/// The federation as the SuperLink holds it together.
#[derive(Debug)]
pub struct Link {
    state: Arc<dyn LinkState>,
    objects: Arc<dyn BlobStore>,
    fabs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    steps: Steps,
    /// What has happened to the clock and does not stand in the logs of runs yet.
    untold: Mutex<Vec<Event>>,
    wake: Arc<Wake>,
    commits: Commits,
    holds: Holds,
    max_storage: Option<u64>,
    disk: Disk,
    outputs: Outputs,
    pace: Pace,
    waiting: Waiting,
    connections: Connections,
    reach: Reach,
    processes: Processes,
    taken: Taken,
    tallies: Tallies,
    stopper: Stopper,
}

/// What a link stands on.
#[derive(Debug)]
pub struct Parts {
    /// What must not be forgotten.
    pub state: Arc<dyn LinkState>,
    /// The bytes of objects.
    pub objects: Arc<dyn BlobStore>,
    /// The bytes of FABs.
    pub fabs: Arc<dyn BlobStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// How long calls are held.
    pub holds: Holds,
    /// Bytes that may be kept, before what is new is refused.
    pub max_storage: Option<u64>,
    /// Ends the held calls.
    pub stopper: Stopper,
}

impl Link {
    /// A link over these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            state,
            objects,
            fabs,
            clock,
            holds,
            max_storage,
            stopper,
        } = parts;
        let wake = Arc::new(Wake::default());
        state.wake_at(&wake);
        let stores = Stores {
            state: Arc::clone(&state),
            objects: Arc::clone(&objects),
        };
        Self {
            state,
            objects,
            fabs,
            steps: Steps::watch(&*clock),
            untold: Mutex::default(),
            clock,
            commits: Commits::new(stores, Arc::clone(&wake)),
            wake,
            holds,
            max_storage,
            disk: Disk::default(),
            outputs: Outputs::default(),
            pace: Pace::default(),
            waiting: Waiting::default(),
            connections: Connections::default(),
            reach: Reach::default(),
            processes: Processes::default(),
            taken: Taken::default(),
            tallies: Tallies::default(),
            stopper,
        }
    }

    /// The time by the link's clock. When the clock was set, leases of nodes and runs move with it,
    /// and when the SuperLink did not run, they last longer: nobody had more or less time to give a
    /// sign of life.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.steps.read(&*self.clock, |event| {
            match event {
                Event::Stepped { seconds, .. } => self.state.move_leases(seconds),
                Event::Away { since, seconds } => self.state.extend_leases(since, seconds),
            }
            warn!("{event}; nodes and runs keep the time they have for a sign of life");
            self.untold.lock().push(event);
        })
    }

    /// Reads the clock. From the first call on, the caller does so every second: a longer pause is a
    /// time in which the SuperLink did not run.
    pub fn watch_clock(&self) {
        let _ = self.now();
        self.steps.expect_regular_readings();
    }

    /// The seconds by which the clock was set in the last hour, if the clock of before still counts for
    /// signatures.
    #[must_use]
    pub fn clock_step(&self) -> Option<f64> {
        let _ = self.now();
        self.steps.lately(&*self.clock)
    }

    /// Tells the logs of the runs that are going on what has happened to the clock.
    async fn tell_events(&self) -> crate::error::Result<()> {
        let events = std::mem::take(&mut *self.untold.lock());
        if events.is_empty() {
            return Ok(());
        }
        let tell = |event| {
            own_line(format_args!(
                "Note: {event}. Nodes and this run keep the time they have for a sign of life."
            ))
        };
        let text: String = events.iter().map(tell).collect();
        for run in self.state.runs().await? {
            if !run.status.phase.is_finished() {
                self.push_log(run.id, text.clone()).await?;
            }
        }
        Ok(())
    }

    /// Where to listen for changes.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Brings the state to its place on disk; the link can only be read from then on.
    pub async fn close(&self) {
        self.commits.settled().await;
        self.state.close().await;
    }
}

#[cfg(test)]
pub(crate) mod tests;
