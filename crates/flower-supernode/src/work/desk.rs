//! Where a message lies while its ClientApp works on it, and whose token opens it.

use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_daemon::appio::Origin;
use flwr_daemon::apps::{Token, Tokens};
use parking_lot::Mutex;

use super::inbox::Inbox;
use super::lease::Lease;
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
    /// How long a ClientApp may be silent that somebody else has started.
    pub(crate) lease: Lease,
    /// From where the ClientApp calls that has shown the token.
    holder: Mutex<Option<Origin>>,
}

impl Job {
    pub(crate) fn new(node: NodeId, inbox: Inbox, outbox: Outbox) -> Self {
        Self {
            node,
            inbox,
            outbox,
            lease: Lease::default(),
            holder: Mutex::default(),
        }
    }

    /// The ClientApp has shown the token, and calls from here.
    pub(crate) fn note_holder(&self, origin: Origin) {
        *self.holder.lock() = Some(origin);
    }

    /// From where the ClientApp calls. `None`: no ClientApp has shown the token.
    pub(crate) fn holder(&self) -> Option<Origin> {
        self.holder.lock().clone()
    }
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

    /// Whether a message is in work.
    pub(crate) fn has_message(&self) -> bool {
        self.current().is_some()
    }

    /// The runs that wait for a ClientApp that somebody else starts.
    pub(crate) fn waiting(&self) -> Vec<RunId> {
        let waiting = self.current().filter(|job| self.is_waiting(job));
        let run = waiting.map(|job| job.inbox.metadata().run);
        run.into_iter().collect()
    }

    /// A token for the message that waits, for the first who asks.
    pub(crate) fn claim(&self, run: RunId) -> Result<Option<Token>, Error> {
        // Of two who ask at once, the second must see the token of the first.
        let on_desk = self.job.lock();
        match on_desk.as_ref().filter(|job| self.is_waiting(job)) {
            Some(job) if job.inbox.metadata().run == run => {
                let token = self.issue(job)?;
                job.lease.claimed();
                Ok(Some(token))
            }
            _ => Ok(None),
        }
    }

    /// Whether this message, which is on the desk, waits for somebody to claim it.
    fn is_waiting(&self, job: &Job) -> bool {
        self.hands_out && !self.tokens.any(|_| true) && !job.outbox.progress().is_finished
    }

    /// The message that this token opens.
    pub(crate) fn job(&self, token: &str) -> Option<Arc<Job>> {
        let message = self.tokens.find(token)?;
        self.current()
            .filter(|job| job.inbox.metadata().id == message)
    }

    /// The message in work, if it is of this run.
    pub(crate) fn job_of(&self, run: RunId) -> Option<Arc<Job>> {
        self.current().filter(|job| job.inbox.metadata().run == run)
    }

    /// Whether a process holds the token of this message.
    pub(crate) fn is_claimed(&self, job: &Job) -> bool {
        let id = job.inbox.metadata().id;
        self.tokens.any(|message| *message == id)
    }

    /// The ClientApp is done: the token of its message opens nothing any more.
    pub(crate) fn revoke(&self, job: &Job) {
        let id = job.inbox.metadata().id;
        self.tokens.revoke_where(|message| *message == id);
    }

    /// Whoever claimed this message never called: somebody else can claim it.
    pub(crate) fn give_back(&self, job: &Job) {
        self.revoke(job);
        job.lease.given_back();
    }

    fn current(&self) -> Option<Arc<Job>> {
        self.job.lock().clone()
    }
}
