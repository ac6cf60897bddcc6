//! The node's registration: one id at a time, made anew when the SuperLink has forgotten it.

use std::sync::Arc;
use std::time::Duration;

use flwr_client::retry::Backoff;
use flwr_core::id::NodeId;
use flwr_core::port::{self, Fleet as _};
use flwr_core::refusal::{Class, Code, Failure, Silence, Unanswered};
use flwr_daemon::stop::Stopper;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::{FEW, Fleet, NoAnswer, Upstream};

/// Between two heartbeats: what the SuperLink is told (flwr 1.22 wire).
pub(super) const INTERVAL: Duration = Duration::from_secs(30);
/// The deadline of one registration: a SuperLink under load answers late, a hung one never.
const DEADLINE: Duration = Duration::from_secs(60);
/// A registration that was not taken back is found out by the next call: no need to wait long.
const GOODBYE: Duration = Duration::from_secs(2);

/// One registration of this process: what speaks for it, and its node id.
#[derive(Debug)]
pub(crate) struct Session<F> {
    pub(crate) fleet: Arc<F>,
    pub(crate) node: NodeId,
    /// The how-manieth registration it is.
    number: u64,
}

/// The current session, for whoever needs it and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Registration<F> {
    current: watch::Sender<State<F>>,
}

#[derive(Debug)]
struct State<F> {
    session: Option<Session<F>>,
    /// Registrations so far.
    count: u64,
    /// The id before this one.
    last: Option<NodeId>,
}

/// Why a node is not registered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum NotJoined {
    /// What answers at the SuperLink's address does not have the calls of SuperNodes, or serves other
    /// releases.
    #[error("{0}")]
    NotServed(String),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl<F> Clone for Session<F> {
    fn clone(&self) -> Self {
        Self {
            fleet: Arc::clone(&self.fleet),
            node: self.node,
            number: self.number,
        }
    }
}

impl<F> Session<F> {
    const fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<F> Default for Registration<F> {
    fn default() -> Self {
        Self {
            current: watch::Sender::new(State {
                session: None,
                count: 0,
                last: None,
            }),
        }
    }
}

impl<F> Registration<F> {
    /// The session in use, as soon as there is one.
    pub(crate) async fn current(&self) -> Session<F> {
        let mut watching = self.current.subscribe();
        loop {
            if let Some(session) = &watching.borrow_and_update().session {
                return session.clone();
            }
            // The sender is in `self`: it outlives this borrow of it.
            let _ = watching.changed().await;
        }
    }

    /// Waits until another id than `node` is in use.
    pub(crate) async fn replaced(&self, node: NodeId) {
        let mut watching = self.current.subscribe();
        let _ = watching
            .wait_for(|state| {
                let session = state.session.as_ref();
                session.is_some_and(|session| session.node != node)
            })
            .await;
    }

    /// Waits until another session than this one is in use.
    pub(crate) async fn renewed(&self, session: &Session<F>) {
        let mut watching = self.current.subscribe();
        let _ = watching
            .wait_for(|state| {
                let current = state.session.as_ref();
                current.is_some_and(|current| !current.is(session))
            })
            .await;
    }

    /// The SuperLink does not know `session`. Several calls may find that out.
    pub(crate) fn lost(&self, session: &Session<F>) {
        self.current.send_if_modified(|state| {
            let current = state.session.as_ref();
            let is_current = current.is_some_and(|current| current.is(session));
            if is_current {
                state.session = None;
                warn!(node_id = %session.node, "the SuperLink no longer knows this node; registering again");
            }
            is_current
        });
    }

    /// Ends the session in use, so that the node registers again.
    pub(super) fn end(&self) {
        self.current
            .send_if_modified(|state| state.session.take().is_some());
    }

    async fn needed(&self) {
        let mut watching = self.current.subscribe();
        let _ = watching.wait_for(|state| state.session.is_none()).await;
    }

    /// Puts a new id in use. True: it is the one from before.
    fn renew(&self, fleet: F, node: NodeId) -> bool {
        let fleet = Arc::new(fleet);
        let mut again = false;
        self.current.send_modify(|state| {
            again = state.last == Some(node);
            state.count += 1;
            state.last = Some(node);
            state.session = Some(Session {
                fleet: Arc::clone(&fleet),
                node,
                number: state.count,
            });
        });
        again
    }

    /// The session in use now, if there is one.
    pub(super) fn peek(&self) -> Option<Session<F>> {
        self.current.borrow().session.clone()
    }
}

impl Upstream {
    /// Registers, and does so again whenever the SuperLink has forgotten this node, until
    /// `stopper` stops or the SuperLink is given up.
    pub(crate) async fn keep_registered(&self, stopper: &Stopper) -> Result<(), NotJoined> {
        while stopper
            .run_until_stopped(self.registration.needed())
            .await
            .is_some()
        {
            let Some((fleet, node)) = self.register(stopper).await? else {
                break;
            };
            if self.registration.renew(fleet, node) {
                info!(node_id = %node, "registered again under the same id");
            } else {
                info!(node_id = %node, "registered with the SuperLink");
            }
        }
        Ok(())
    }

    /// The node's session and id; `None` when it is time to stop.
    async fn register(&self, stopper: &Stopper) -> Result<Option<(Fleet, NodeId)>, NotJoined> {
        let mut backoff = Backoff::new(self.persistence);
        let mut not_served = 0;
        loop {
            let failure = match self.try_to_join(stopper).await {
                Some(Ok(registered)) => return Ok(Some(registered)),
                Some(Err(failure)) => failure,
                None => return Ok(None),
            };
            self.judge(&failure);
            // Some tries are for a SuperLink that is just being replaced.
            not_served = if is_of_no_use(&failure) {
                not_served + 1
            } else {
                0
            };
            if not_served == FEW {
                return Err(NotJoined::NotServed(self.explainer.explain(&failure)));
            }
            let paused = stopper
                .run_until_stopped(self.pause(&mut backoff, &failure))
                .await;
            if paused.transpose()?.is_none() {
                return Ok(None);
            }
        }
    }

    /// One try. A request that is on its way when it is time to stop is waited for a little: an
    /// id that this node never hears of is one that it cannot say goodbye with.
    async fn try_to_join(&self, stopper: &Stopper) -> Option<port::Result<(Fleet, NodeId)>> {
        let joined = timeout(DEADLINE, async {
            let joined = self.join(INTERVAL).await?;
            self.report.answered();
            Ok(joined)
        });
        tokio::select! {
            joined = joined => Some(joined.unwrap_or_else(|_| {
                let text = format!("no answer to a registration within {} s", DEADLINE.as_secs());
                Err(Unanswered::new(Silence::Late, text).into())
            })),
            () = async { stopper.cancelled().await; sleep(GOODBYE).await } => None,
        }
    }

    /// Says goodbye, once; the SuperLink finds out by itself otherwise.
    pub(crate) async fn say_goodbye(&self) {
        let Some(session) = self.registration.peek() else {
            return;
        };
        match timeout(GOODBYE, session.fleet.leave()).await {
            Ok(Ok(())) => info!(node_id = %session.node, "said goodbye to the SuperLink"),
            Ok(Err(failure)) => {
                warn!(node_id = %session.node, "could not unregister: {}", self.explainer.explain(&failure))
            }
            Err(_) => {
                warn!(node_id = %session.node, "could not unregister: no answer within {} s", GOODBYE.as_secs())
            }
        }
    }
}

/// Whether waiting is of no use: the SuperLink does not have the calls of SuperNodes, or serves
/// SuperNodes of other releases.
fn is_of_no_use(failure: &Failure) -> bool {
    match failure {
        Failure::Answered(refused) => {
            refused.class == Class::NotOffered
                || refused.code == Some(Code::RuntimeVersionIncompatible)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use flwr_core::refusal::Refused;

    use super::*;

    #[test]
    fn a_superlink_that_serves_other_releases_is_given_up() {
        let other = r#"{"code":1001,"detail":"Runtime version compatibility check failed."}"#;
        for (class, text, expected) in [
            (Class::Precondition, other, true),
            (Class::NotOffered, "Not Found", true),
            (
                Class::Precondition,
                r#"{"code":2004,"detail":"Failed."}"#,
                false,
            ),
            (Class::Unauthenticated, "no", false),
        ] {
            let failure = Failure::from(Refused::read(class, text));
            assert_eq!(is_of_no_use(&failure), expected, "{text}");
        }
        let away = Unanswered::new(Silence::Busy, "later");
        assert!(!is_of_no_use(&away.into()));
    }

    #[tokio::test]
    async fn a_lost_session_is_renewed_once_however_many_find_it_lost() {
        let registration = Registration::default();
        assert!(!registration.renew((), NodeId(7)));
        let first = registration.current().await;
        registration.lost(&first);
        registration.needed().await;
        assert!(registration.renew((), NodeId(7)), "the same id");
        let second = registration.current().await;
        assert!(!first.is(&second));
        registration.lost(&first);
        assert!(
            registration.current().await.is(&second),
            "a late finder changes nothing"
        );
        registration.end();
        registration.needed().await;
        assert!(registration.renew((), NodeId(7)), "a node with another key");
        let third = registration.current().await;
        registration.lost(&third);
        assert!(!registration.renew((), NodeId(8)));
        registration.replaced(NodeId(7)).await;
    }
}
