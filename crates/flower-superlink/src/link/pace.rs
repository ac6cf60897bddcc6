//! How a ServerApp asks for replies, and what that means for the replies that come late.
//!
//! Flower's `send_and_receive` asks for all outstanding replies at once and sleeps 3 s after an
//! answer without all of them (flwr 1.20 to 1.22): to wait for the others just as long costs it
//! nothing and often saves it that sleep. An asynchronous app asks again at once, and wants each
//! reply as it comes. Which of the two an app is shows in the pause between its questions.

use std::collections::HashMap;
use std::time::Duration;

use flwr_core::id::RunId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Whoever pauses as long as this after a partial answer sleeps between its questions.
const SLEEPS: Duration = Duration::from_secs(2);

/// What was learned about the ServerApps that are running.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<RunId, Asker>>);

#[derive(Debug)]
struct Asker {
    sleeps: bool,
    /// When it was last answered without having all it asked for.
    answered_partly: Option<Instant>,
}

impl Default for Asker {
    /// As most apps are, until it shows otherwise.
    fn default() -> Self {
        Self {
            sleeps: true,
            answered_partly: None,
        }
    }
}

impl Pace {
    /// A ServerApp asks. Whether it is one that sleeps after a partial answer.
    pub(super) fn asks(&self, run: RunId) -> bool {
        let mut askers = self.0.lock();
        let asker = askers.entry(run).or_default();
        if let Some(answered) = asker.answered_partly.take() {
            asker.sleeps = answered.elapsed() >= SLEEPS;
        }
        asker.sleeps
    }

    /// It was answered without having all it asked for.
    pub(super) fn answered_partly(&self, run: RunId) {
        if let Some(asker) = self.0.lock().get_mut(&run) {
            asker.answered_partly = Some(Instant::now());
        }
    }

    /// The run is over.
    pub(super) fn forget(&self, run: RunId) {
        self.0.lock().remove(&run);
    }
}
