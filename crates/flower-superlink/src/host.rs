//! The SuperLink behind the doors of its ports: from a proof to a session, and from a session to
//! the domain. The only room that knows both the wire and the link.

use std::sync::Arc;

use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use flwr_security::key::PrivateKey;
use flwr_security::signature::Verifier;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::auth::Policy;
use crate::link::Link;

mod fleet;
mod runtime;

pub use fleet::FleetSession;
pub use runtime::RuntimeSession;

/// Changes under way at the same time. Later ones wait for a place.
const UNDER_WAY: usize = 4096;

/// The SuperLink, as its doors see it.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

/// What a host stands on.
#[derive(Debug)]
pub struct Parts {
    /// The domain.
    pub link: Arc<Link>,
    /// Which keys may speak on Fleet.
    pub policy: Policy,
    /// The SuperLink's own key, for nodes that share secrets with it.
    pub own_key: Option<PrivateKey>,
    /// Who starts the processes of ServerApps.
    pub apps: Apps,
    /// Whether everything is spoken in plaintext here.
    pub is_insecure: bool,
}

/// Who starts the processes of ServerApps, and how they are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apps {
    /// This SuperLink, with a token each.
    WithTokens,
    /// This SuperLink, without tokens: their release (flwr 1.20 and before) knows none.
    Tokenless,
    /// Somebody else, who asks here for the token of each.
    OfStrangers,
}

#[derive(Debug)]
struct Inner {
    parts: Parts,
    verifier: Verifier,
    under_way: Arc<Semaphore>,
    /// Owns the changes: they go on when the peer goes away.
    changes: TaskTracker,
}

impl Host {
    /// A host of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let allowed = match &parts.policy {
            Policy::AnyKey => None,
            Policy::Listed(keys) => Some(Arc::clone(keys)),
        };
        let verifier = Verifier::new(allowed);
        let under_way = Arc::new(Semaphore::new(UNDER_WAY));
        Self(Arc::new(Inner {
            parts,
            verifier,
            under_way,
            changes: TaskTracker::new(),
        }))
    }

    /// Waits until all changes under way are done. Called once no peer can begin another.
    pub(crate) async fn settled(&self) {
        self.0.changes.close();
        self.0.changes.wait().await;
    }

    /// The domain behind the doors.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0.parts.link
    }
}

impl flwr_wire::host::Host for Host {
    async fn complete<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        let stopping = || Failure::from(crate::error::Error::Stopping);
        let under_way = Arc::clone(&self.0.under_way);
        let place = under_way.acquire_owned().await.map_err(|_| stopping())?;
        let done = self.0.changes.spawn(
            async move {
                let _place = place;
                work.await
            }
            .in_current_span(),
        );
        // It ends without a result only if the runtime does.
        done.await.map_err(|_| stopping())?
    }

    fn now(&self) -> Timestamp {
        self.link().now()
    }
}

#[cfg(test)]
mod tests;
