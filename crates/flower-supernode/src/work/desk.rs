//! Where a message lies while its ClientApp works on it, and whose token opens it.

use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_daemon::apps::{Token, Tokens};
use parking_lot::Mutex;

use super::inbox::Inbox;
use super::outbox::Outbox;
use crate::error::Error;

/// The message in work, if there is one.
#[derive(Debug)]
pub(crate) struct Desk {
    job: Mutex<Option<Arc<Job>>>,
    tokens: Tokens<MessageId>,
    /// Whether ClientApps that somebody else starts may ask for work.
    hands_out: bool,
}

/// One message in work.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) node: NodeId,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
}

/// Why an app process is turned away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    /// Flower's text.
    #[error("Invalid token.")]
    Token,
    #[error("the message in work is not of run {0}")]
    OtherRun(RunId),
}

impl Desk {
    pub(crate) fn new(hands_out: bool) -> Self {
        Self {
            job: Mutex::new(None),
            tokens: Tokens::new(),
            hands_out,
        }
    }

    /// Lays a message on the desk.
    pub(crate) fn open(&self, job: Arc<Job>) {
        *self.job.lock() = Some(job);
    }

    /// Takes away what lies there; its token opens nothing any more.
    pub(crate) fn clear(&self) {
        *self.job.lock() = None;
        self.tokens.revoke_where(|_| true);
    }

    /// The one token for the message in work.
    pub(crate) fn issue(&self, job: &Job) -> Result<Token, Error> {
        self.tokens
            .issue(job.inbox.metadata().id)
            .ok_or(Error::NoRandomness)
    }

    /// The runs that wait for a ClientApp that somebody else starts.
    pub(crate) fn waiting(&self) -> Vec<RunId> {
        self.unclaimed()
            .map(|job| job.inbox.metadata().run)
            .into_iter()
            .collect()
    }

    /// A token for the message that waits, for the first who asks.
    pub(crate) fn claim(&self, run: RunId) -> Result<Option<Token>, Error> {
        match self.unclaimed() {
            Some(job) if job.inbox.metadata().run == run => self.issue(&job).map(Some),
            _ => Ok(None),
        }
    }

    fn unclaimed(&self) -> Option<Arc<Job>> {
        let job = self.current().filter(|_| self.hands_out)?;
        let is_waiting = !self.tokens.any(|_| true) && !job.outbox.progress().is_finished;
        is_waiting.then_some(job)
    }

    /// The message that this token opens.
    pub(crate) fn job(&self, token: &str) -> Result<Arc<Job>, Denied> {
        let message = self.tokens.find(token).ok_or(Denied::Token)?;
        self.current()
            .filter(|job| job.inbox.metadata().id == message)
            .ok_or(Denied::Token)
    }

    /// The message in work, if it is of this run: for the calls that carry no token.
    pub(crate) fn job_of(&self, run: RunId) -> Result<Arc<Job>, Denied> {
        self.current()
            .filter(|job| job.inbox.metadata().run == run)
            .ok_or(Denied::OtherRun(run))
    }

    /// The ClientApp is done: its token opens nothing any more.
    pub(crate) fn revoke(&self, token: &str) {
        self.tokens.revoke(token);
    }

    fn current(&self) -> Option<Arc<Job>> {
        self.job.lock().clone()
    }
}
