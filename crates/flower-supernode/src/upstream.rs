//! The SuperLink as this node sees it: one connection, one registration, and calls that are
//! retried until there is an answer that means something.
//!
//! Whoever calls names the node id it works for. If the SuperLink forgets that id (it was
//! restarted without its state), the call waits for the new registration: under the same id it
//! goes on, under another it ends with [`Refusal::Replaced`], since what it was about is gone.

mod explain;
mod heartbeat;
mod hold;
mod ping;
mod pull;
mod registration;
mod report;
mod run;
mod transfer;

pub(crate) use ping::ping;
pub(crate) use pull::Arrival;
pub(crate) use transfer::Transfer;

use std::sync::Arc;

use flwr_client::channel::{Channel, Trust, is_to_be_repeated};
use flwr_client::fleet::{Fleet, fleet};
use flwr_client::refused::{Failure, Refused};
use flwr_client::retry::{AT_ONCE, Backoff, Persistence};
use flwr_client::signer::Signer;
use flwr_core::id::NodeId;
use flwr_daemon::clock::Clock;
use flwr_proto as proto;
use flwr_security::key::{PrivateKey, PublicKey};
use tonic::{Code, Response, Status};

use explain::Explainer;
use hold::Hold;
use registration::Registration;
use report::Report;

/// The conversation with the SuperLink. Cheap to clone; all clones share the registration.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    line: Channel,
    hold: Arc<Hold>,
    fleet: Fleet,
    signer: Signer,
    registration: Arc<Registration>,
    explainer: Arc<Explainer>,
    report: Arc<Report>,
    persistence: Persistence,
}

/// Why a call ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    RunOver(String),
    #[error("this node was registered anew, under another id")]
    Replaced,
    #[error("{0}")]
    Refused(String),
    #[error("{reason}")]
    GaveUp { tries: u64, reason: String },
}

/// How a call takes a refusal that will not go away by waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// For calls of the node itself: what else should it do?
    Endless,
    /// For calls about one message: the message is given up after [`FEW`] refusals, so that
    /// one bad run does not hold up the others. Lost connections do not count.
    Few,
    /// For calls that deliver a finished reply: as [`Patience::Few`], but INTERNAL and UNKNOWN
    /// count only [`MANY`] times. Something on the way may say them, and the work is done.
    Reply,
}

/// Refusals of one call before its message is given up.
const FEW: u32 = 4;
/// Failures of the delivery of a reply before it is given up: with pauses of up to 20 s, ten
/// minutes on average.
const MANY: u32 = 60;

impl Patience {
    /// How often this refusal is taken before the message is given up.
    fn limit(self, refused: Refused) -> u32 {
        match (self, refused) {
            (Self::Endless, _) => u32::MAX,
            (Self::Reply, Refused::Other(Code::Internal | Code::Unknown)) => MANY,
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
        line: Channel,
        signer: Signer,
        address: String,
        trust: &Trust,
        key: &PublicKey,
        persistence: Persistence,
    ) -> Self {
        Self {
            fleet: fleet(line.clone(), signer.clone()),
            line,
            hold: Arc::default(),
            signer,
            registration: Arc::default(),
            explainer: Arc::new(Explainer::new(address, key.fingerprint(), trust)),
            report: Arc::default(),
            persistence,
        }
    }

    /// The node id in use, as soon as there is one.
    pub(crate) async fn node(&self) -> NodeId {
        self.registration.current().await.node
    }

    /// Waits until this node is no longer registered as `node`, but as another.
    pub(crate) async fn replaced(&self, node: NodeId) {
        self.registration.replaced(node).await;
    }

    /// Calls until there is an answer, or a refusal that stands.
    pub(crate) async fn call<T, F>(
        &self,
        node: NodeId,
        patience: Patience,
        rpc: impl Fn(Fleet, proto::Node) -> F,
    ) -> Result<T, Refusal>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut backoff = Backoff::new(self.persistence);
        let (mut failures, mut repeated) = (0, 0);
        loop {
            let session = self.registration.current().await;
            if session.node != node {
                return Err(Refusal::Replaced);
            }
            let wire = proto::Node { node_id: node.0 };
            let status = match rpc(self.fleet.clone(), wire).await {
                Ok(answer) => {
                    self.report.answered();
                    return Ok(answer.into_inner());
                }
                Err(status) => status,
            };
            // A server or proxy that closes its connection in order is no failure.
            if is_to_be_repeated(&status) && repeated < AT_ONCE {
                repeated += 1;
                continue;
            }
            repeated = 0;
            match self.judge(&status) {
                // On Fleet this means that the run is over (flwr 1.20 to 1.22).
                Failure::Refused(Refused::Forbidden) if patience != Patience::Endless => {
                    return Err(Refusal::RunOver(status.message().to_owned()));
                }
                Failure::Refused(Refused::UnknownNode) => {
                    self.registration.lost(&session);
                    continue;
                }
                // The message waits until the clocks are set, for as long as it lives: NTP often
                // sets a clock minutes after a start.
                Failure::Refused(Refused::Forbidden | Refused::StaleSignature)
                | Failure::Unanswered => {}
                Failure::Refused(refused) => {
                    failures += 1;
                    if failures >= patience.limit(refused) {
                        return Err(Refusal::Refused(self.explainer.explain(&status)));
                    }
                }
            }
            self.pause(&mut backoff, &status).await?;
        }
    }

    /// What a failed call means. The next one will have another signature, if it was for that.
    fn judge(&self, status: &Status) -> Failure {
        if status.code() == Code::Unauthenticated {
            self.signer.renew();
        }
        Failure::of(status)
    }

    /// Waits before the next try, and says why; or gives up.
    async fn pause(&self, backoff: &mut Backoff, status: &Status) -> Result<(), Refusal> {
        let reason = self.explainer.explain(status);
        let Some(delay) = backoff.next_delay() else {
            return Err(Refusal::GaveUp {
                tries: backoff.tries(),
                reason,
            });
        };
        self.report.failed(&reason, backoff.tries(), delay);
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
