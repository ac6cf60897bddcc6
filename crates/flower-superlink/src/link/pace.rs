//! How a ServerApp asks for replies, and what that means for the replies that come late.
//!
//! Flower's `send_and_receive` asks for all outstanding replies at once and sleeps 3 s after an
//! answer without all of them: to wait for the others just as long costs it
//! nothing and often saves it that sleep. An asynchronous app asks again at once, and wants each
//! reply as it comes. Which of the two an app is shows in the pause between its questions.

use std::collections::HashMap;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::monotonic;
use parking_lot::Mutex;
use tokio::time::Instant;

/// An app that pauses as long as this after a partial answer sleeps between its requests.
const SLEEPS: Duration = Duration::from_secs(2);

/// The pace of each running ServerApp.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<RunId, AppPace>>);

#[derive(Debug)]
struct AppPace {
    sleeps: bool,
    /// The time of the last answer without all requested replies.
    answered_partly: Option<Instant>,
}

impl Default for AppPace {
    /// Most apps sleep.
    fn default() -> Self {
        Self {
            sleeps: true,
            answered_partly: None,
        }
    }
}

impl Pace {
    /// Notes a request, and tells whether the ServerApp sleeps after a partial answer.
    pub(super) fn asks(&self, run: RunId) -> bool {
        let mut paces = self.0.lock();
        let app = paces.entry(run).or_default();
        if let Some(answered) = app.answered_partly.take() {
            app.sleeps = answered.elapsed() >= SLEEPS;
        }
        app.sleeps
    }

    /// Notes an answer without all requested replies.
    pub(super) fn answered_partly(&self, run: RunId) {
        if let Some(app) = self.0.lock().get_mut(&run) {
            app.answered_partly = Some(monotonic::now());
        }
    }

    /// Forgets a finished run.
    pub(super) fn forget(&self, run: RunId) {
        self.0.lock().remove(&run);
    }
}
