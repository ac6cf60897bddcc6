//! The SuperLink as this node sees it: one connection, one registration, and calls that are
//! retried until there is an answer that means something.
//!
//! Whoever calls names the node id it works for. If the SuperLink forgets that id (it was
//! restarted without its state), the call waits for the new registration: under the same id it
//! goes on, under another it ends with [`NoAnswer::Replaced`], since what it was about is gone.

mod certificate;
mod enrolled;
mod explain;
mod heartbeat;
mod hold;
mod key;
mod ping;
mod pull;
mod registration;
mod remember;
mod report;
mod run;
mod transfer;
mod trust;

pub(crate) use certificate::{Renewing, TlsFiles};
pub(crate) use enrolled::Enrolled;
pub(crate) use key::KeyFile;
pub(crate) use ping::{Pinged, ping};
pub(crate) use registration::NotJoined;
pub(crate) use transfer::Transfer;
pub(crate) use trust::Learning;

use std::sync::Arc;
use std::time::Duration;

use flwr_client::channel::{Channel, Trust, is_to_be_repeated};
use flwr_client::find::{Joining, NodeLine};
use flwr_client::fleet::NodeSession;
use flwr_client::line::Room;
use flwr_client::retry::{AT_ONCE, Backoff, Persistence};
use flwr_client::signer::Signer;
use flwr_core::id::NodeId;
use flwr_core::port;
use flwr_core::refusal::{Class, Code, Failure, Refusal, Silence};
use flwr_daemon::clock::Clock;
use flwr_metrics::Registry;
use flwr_security::key::{PrivateKey, PublicKey};

use explain::Explainer;
use hold::Hold;
use registration::Registration;
use report::Report;

use crate::config::NodeKey;

/// A registration's end of the port `Fleet`.
type Fleet = NodeSession<NodeLine>;

/// The conversation with the SuperLink. Cheap to clone; all clones share the registration.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    channel: Channel,
    signer: Signer,
    hold: Arc<Hold>,
    registration: Arc<Registration<Fleet>>,
    explainer: Arc<Explainer>,
    report: Arc<Report>,
    persistence: Persistence,
    /// The node's key goes with this process.
    is_passing: bool,
    /// Where the objects of messages are put.
    room: Room,
}

/// How long a node's key lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// As long as its file.
    File,
    /// As long as this process.
    Process,
}

impl Lasting {
    pub(crate) const fn of(key: &NodeKey) -> Self {
        match key.path {
            Some(_) => Self::File,
            None => Self::Process,
        }
    }
}

/// Why a call ended without an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("{0}")]
    RunOver(String),
    #[error("this node was registered anew, under another id")]
    Replaced,
    #[error("{0}")]
    Refused(String),
    /// The SuperLink answered, and this node cannot use the answer.
    #[error("{0}")]
    Unusable(Refusal),
    /// The SuperLink took the announcement of a reply, and not the reply's objects.
    #[error("the SuperLink asks for objects of the reply, and does not take them")]
    NotTaken,
    #[error("{reason}")]
    GaveUp { tries: u64, reason: String },
}

/// How a call takes a refusal that will not go away by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For calls of the node itself: what else should it do?
    Endless,
    /// For calls about one message: the message is given up after [`FEW`] refusals, so that
    /// one bad run does not hold up the others. Lost connections and refusals of the node itself do
    /// not count.
    Few,
    /// For calls that deliver a finished reply: as [`Patience::Few`], but a call that breaks the
    /// SuperLink, or something on the way, is given up after [`MANY`] tries: the work is done.
    Reply,
}

/// Refusals of one call before its message is given up.
const FEW: u32 = 4;
/// Failures of the delivery of a reply before it is given up: with pauses of up to 20 s, ten
/// minutes on average.
const MANY: u32 = 60;

impl Patience {
    /// How often this failure is taken before the message is given up.
    fn limit(self, failure: &Failure) -> u32 {
        match (self, failure) {
            (Self::Endless, _) => u32::MAX,
            (Self::Reply, Failure::Unanswered(_)) => MANY,
            (Self::Few | Self::Reply, _) => FEW,
        }
    }
}

/// Signs with the node's key, by the daemon's clock.
pub(crate) fn signer(key: PrivateKey, clock: Arc<dyn Clock>) -> Signer {
    Signer::new(key, move || clock.date_time())
}

impl Upstream {
    pub(crate) fn new(
        channel: Channel,
        signer: Signer,
        address: String,
        trust: &Trust,
        key: &PublicKey,
        lasting: Lasting,
        persistence: Persistence,
    ) -> Self {
        Self {
            channel,
            signer,
            hold: Arc::default(),
            registration: Arc::default(),
            explainer: Arc::new(Explainer::new(address, key.fingerprint(), lasting, trust)),
            report: Arc::default(),
            persistence,
            is_passing: lasting == Lasting::Process,
            room: Room::Own,
        }
    }

    /// The same, which puts the objects of messages here.
    pub(crate) fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// The node id in use, as soon as there is one.
    pub(crate) async fn node(&self) -> NodeId {
        self.registration.current().await.node
    }

    /// Goes on with another key of the same node. The node registers again, by which the SuperLink hears
    /// of the key.
    pub(crate) fn go_on_with(&self, key: PrivateKey) {
        self.explainer.name_key(key.public_key().fingerprint());
        self.signer.replace(key);
        self.registration.end();
    }

    /// Whether the SuperLink knows this node.
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.peek().is_some()
    }

    /// Whether it also answered the last call.
    pub(crate) fn is_reached(&self) -> bool {
        self.is_registered() && !self.report.is_troubled()
    }

    /// Names what is counted.
    pub(crate) fn register_numbers(&self, registry: &mut Registry) {
        self.report.register(registry);
    }

    /// Waits until this node is no longer registered as `node`, but as another.
    pub(crate) async fn replaced(&self, node: NodeId) {
        self.registration.replaced(node).await;
    }

    /// Calls until there is an answer, or a refusal that stands.
    async fn call<T, F>(
        &self,
        node: NodeId,
        patience: Patience,
        ask: impl Fn(Arc<Fleet>) -> F,
    ) -> Result<T, NoAnswer>
    where
        F: Future<Output = port::Result<T>>,
    {
        let mut backoff = Backoff::new(self.persistence);
        let (mut failures, mut repeated) = (0, 0);
        loop {
            let session = self.registration.current().await;
            if session.node != node {
                return Err(NoAnswer::Replaced);
            }
            let failure = match ask(Arc::clone(&session.fleet)).await {
                Ok(answer) => {
                    self.report.answered();
                    return Ok(answer);
                }
                Err(Failure::Refused(refusal)) => return Err(NoAnswer::Unusable(refusal)),
                Err(failure) => failure,
            };
            // A server or proxy that closes its connection in order is no failure.
            if is_to_be_repeated(&failure) && repeated < AT_ONCE {
                repeated += 1;
                continue;
            }
            repeated = 0;
            match self.judge(&failure) {
                Verdict::RunOver if patience != Patience::Endless => {
                    return Err(NoAnswer::RunOver(failure.to_string()));
                }
                Verdict::UnknownNode => {
                    self.report.forgotten();
                    self.registration.lost(&session);
                    continue;
                }
                Verdict::RunOver | Verdict::Passing => {}
                Verdict::Standing => {
                    failures += 1;
                    if failures >= patience.limit(&failure) {
                        return Err(NoAnswer::Refused(self.explainer.explain(&failure)));
                    }
                }
            }
            self.pause(&mut backoff, &failure).await?;
        }
    }

    /// What a failure asks for. The next call has another signature, if the failure was for that.
    fn judge(&self, failure: &Failure) -> Verdict {
        if failure.class() == Some(Class::Unauthenticated) {
            self.signer.renew();
        }
        Verdict::of(failure)
    }

    /// Joins the SuperLink, with a session of its own for this registration.
    async fn join(&self, interval: Duration) -> port::Result<(Fleet, NodeId)> {
        let line = NodeLine::new(self.channel.clone(), self.signer.clone()).with_room(self.room);
        let joining = Joining {
            interval: interval.as_secs_f64(),
            is_passing: self.is_passing,
        };
        flwr_client::find::joined(line, joining).await
    }

    /// Waits before the next try, and says why; or gives up.
    async fn pause(&self, backoff: &mut Backoff, failure: &Failure) -> Result<(), NoAnswer> {
        let reason = self.explainer.explain(failure);
        let Some(delay) = backoff.next_delay() else {
            return Err(NoAnswer::GaveUp {
                tries: backoff.tries(),
                reason,
            });
        };
        self.report.failed(failure, &reason, backoff.tries(), delay);
        tokio::time::sleep(delay).await;
        Ok(())
    }
}

/// What a failed call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Drop the run.
    RunOver,
    /// Register again.
    UnknownNode,
    /// Wait.
    Passing,
    /// Ask a few times more: the answer is hardly another one.
    Standing,
}

impl Verdict {
    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Answered(refused) => match (refused.class, refused.code) {
                // On Fleet FORBIDDEN means that the run is over (flwr 1.20 to 1.22).
                (Class::Forbidden | Class::RunOver, _) => Self::RunOver,
                // Over HTTP/1.1 a node of no key is told no more than that.
                (_, Some(Code::NodeNotRegistered | Code::NodeNotProven)) => Self::UnknownNode,
                // A person registers the key, or the other SuperNode with the key ends.
                (
                    _,
                    Some(
                        Code::FleetNodeActivationFailed
                        | Code::FleetSupernodeRegistrationDisabled
                        | Code::PublicKeyAlreadyInUse,
                    ),
                ) => Self::Passing,
                // These say nothing of the message. An administrator edits the list of keys, NTP
                // sets a clock, a proxy gets its route back: the message waits for as long as it
                // lives.
                (Class::Unauthenticated | Class::NotOffered | Class::Exhausted, _) => Self::Passing,
                _ => Self::Standing,
            },
            Failure::Unanswered(unanswered) if unanswered.why == Silence::Broken => Self::Standing,
            Failure::Unanswered(_) | Failure::TryAgain(_) => Self::Passing,
            Failure::Refused(_) => Self::Standing,
        }
    }
}

#[cfg(test)]
mod tests;
