//! The node's registration: one id at a time, made anew when the SuperLink has forgotten it.

use std::time::Duration;

use flwr_client::retry::Backoff;
use flwr_core::id::NodeId;
use flwr_daemon::stop::Stopper;
use flwr_proto as proto;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::{Request, Status};
use tracing::{info, warn};

use super::{Refusal, Upstream};

/// Between two heartbeats: what the SuperLink is told (flwr 1.22 wire).
pub(super) const INTERVAL: Duration = Duration::from_secs(30);
/// The deadline of one registration: a SuperLink under load answers late, a hung one never.
const DEADLINE: Duration = Duration::from_secs(60);
/// A registration that was not taken back is found out by the next call: no need to wait long.
const GOODBYE: Duration = Duration::from_secs(2);

/// A node id, and the how-manieth registration of this process it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) node: NodeId,
    pub(crate) number: u64,
}

/// The current session, for whoever needs it and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Registration {
    current: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    session: Option<Session>,
    /// Registrations so far.
    count: u64,
    /// The id before this one.
    last: Option<NodeId>,
}

impl Default for Registration {
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

impl Registration {
    /// The session in use, as soon as there is one.
    pub(crate) async fn current(&self) -> Session {
        let mut watching = self.current.subscribe();
        loop {
            if let Some(session) = watching.borrow_and_update().session {
                return session;
            }
            // The sender is in `self`: it outlives this borrow of it.
            let _ = watching.changed().await;
        }
    }

    /// Waits until another id than `node` is in use.
    pub(crate) async fn replaced(&self, node: NodeId) {
        let mut watching = self.current.subscribe();
        let _ = watching
            .wait_for(|state| state.session.is_some_and(|session| session.node != node))
            .await;
    }

    /// Waits until another session than this one is in use.
    pub(crate) async fn renewed(&self, session: &Session) {
        let mut watching = self.current.subscribe();
        let _ = watching
            .wait_for(|state| state.session.is_some_and(|current| current != *session))
            .await;
    }

    /// The SuperLink does not know `session`. Several calls may find that out.
    pub(crate) fn lost(&self, session: &Session) {
        self.current.send_if_modified(|state| {
            let is_current = state.session == Some(*session);
            if is_current {
                state.session = None;
                warn!(node_id = %session.node, "the SuperLink no longer knows this node; registering again");
            }
            is_current
        });
    }

    async fn needed(&self) {
        let mut watching = self.current.subscribe();
        let _ = watching.wait_for(|state| state.session.is_none()).await;
    }

    /// Puts a new id in use. True: it is the one from before.
    fn renew(&self, node: NodeId) -> bool {
        let mut again = false;
        self.current.send_modify(|state| {
            again = state.last == Some(node);
            state.count += 1;
            state.last = Some(node);
            state.session = Some(Session {
                node,
                number: state.count,
            });
        });
        again
    }

    fn peek(&self) -> Option<Session> {
        self.current.borrow().session
    }
}

impl Upstream {
    /// Registers, and does so again whenever the SuperLink has forgotten this node, until
    /// `stopper` stops or the SuperLink is given up.
    pub(crate) async fn keep_registered(&self, stopper: &Stopper) -> Result<(), Refusal> {
        while stopper
            .run_until_stopped(self.registration.needed())
            .await
            .is_some()
        {
            match self.register(stopper).await? {
                Some(node) if self.registration.renew(node) => {
                    info!(node_id = %node, "registered again under the same id");
                }
                Some(node) => info!(node_id = %node, "registered with the SuperLink"),
                None => break,
            }
        }
        Ok(())
    }

    /// The node's id; `None` when it is time to stop.
    async fn register(&self, stopper: &Stopper) -> Result<Option<NodeId>, Refusal> {
        let mut backoff = Backoff::new(self.persistence);
        loop {
            let status = match self.create_node(stopper).await {
                Some(Ok(node)) => return Ok(Some(node)),
                Some(Err(status)) => status,
                None => return Ok(None),
            };
            let paused = stopper
                .run_until_stopped(self.pause(&mut backoff, &status))
                .await;
            if paused.transpose()?.is_none() {
                return Ok(None);
            }
        }
    }

    /// One try. A request that is on its way when it is time to stop is waited for a little: an
    /// id that this node never hears of is one that it cannot say goodbye with.
    async fn create_node(&self, stopper: &Stopper) -> Option<Result<NodeId, Status>> {
        let interval = INTERVAL.as_secs_f64();
        let mut request = Request::new(proto::CreateNodeRequest {
            heartbeat_interval: interval,
        });
        request.set_timeout(DEADLINE);
        let mut fleet = self.fleet.clone();
        let answer = tokio::select! {
            answer = fleet.create_node(request) => answer,
            () = async { stopper.cancelled().await; sleep(GOODBYE).await } => return None,
        };
        Some(answer.and_then(|answer| {
            self.report.answered();
            let node = answer.into_inner().node.map(|node| NodeId(node.node_id));
            let no_id = || Status::internal("CreateNode was answered without a node id");
            node.filter(|node| *node != NodeId::UNSET).ok_or_else(no_id)
        }))
    }

    /// Says goodbye, once; the SuperLink finds out by itself otherwise.
    pub(crate) async fn say_goodbye(&self) {
        let Some(session) = self.registration.peek() else {
            return;
        };
        let request = proto::DeleteNodeRequest {
            node: Some(proto::Node {
                node_id: session.node.0,
            }),
        };
        match timeout(
            GOODBYE,
            self.fleet.clone().delete_node(Request::new(request)),
        )
        .await
        {
            Ok(Ok(_)) => info!(node_id = %session.node, "unregistered from the SuperLink"),
            Ok(Err(status)) => {
                warn!(node_id = %session.node, "could not unregister: {}", self.explainer.explain(&status))
            }
            Err(_) => {
                warn!(node_id = %session.node, "could not unregister: no answer within {} s", GOODBYE.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lost_session_is_renewed_once_however_many_find_it_lost() {
        let registration = Registration::default();
        assert!(!registration.renew(NodeId(7)));
        let first = registration.current().await;
        registration.lost(&first);
        registration.needed().await;
        assert!(registration.renew(NodeId(7)), "the same id");
        let second = registration.current().await;
        assert_ne!(first, second);
        registration.lost(&first);
        assert_eq!(
            registration.current().await,
            second,
            "a late finder changes nothing"
        );
        registration.lost(&second);
        assert!(!registration.renew(NodeId(8)));
        registration.replaced(NodeId(7)).await;
    }
}
