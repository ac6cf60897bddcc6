//! The SuperLink behind the doors of its ports: from a proof to a session, and from a session to
//! the domain. The only room that knows both the wire and the link.

use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::port::Result;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::signature::{SignatureHeaders, Verifier};
use flwr_wire::generations::WireName;
use flwr_wire::host::{FleetHost, Head, NodeProof, Unsigned};
use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tracing::{Instrument, warn};

use crate::auth::Policy;
use crate::link::Link;

mod failure;
mod fleet;

pub use fleet::FleetSession;

/// Changes under way at the same time. Later ones wait for a place.
const UNDER_WAY: usize = 4096;

/// The SuperLink, as its doors see it.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    link: Arc<Link>,
    policy: Policy,
    /// The SuperLink's own key, for nodes that share secrets with it.
    own_key: Option<PrivateKey>,
    verifier: Verifier,
    under_way: Arc<Semaphore>,
}

impl Host {
    /// The host of this link. It lets in whom `policy` allows.
    #[must_use]
    pub fn new(link: Arc<Link>, policy: Policy, own_key: Option<PrivateKey>) -> Self {
        let allowed = match &policy {
            Policy::AnyKey => None,
            Policy::Listed(keys) => Some(Arc::clone(keys)),
        };
        Self(Arc::new(Inner {
            link,
            policy,
            own_key,
            verifier: Verifier::new(allowed),
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
        }))
    }

    /// The proven key of a caller that signs.
    fn verified(&self, signature: &SignatureHeaders) -> Result<PublicKey> {
        let verified = self.0.verifier.verify(signature, OffsetDateTime::now_utc());
        verified.map_err(|refusal| {
            warn!(%refusal, "Fleet request refused");
            flwr_core::refusal::Refusal::Interim(16, refusal.to_string()).into()
        })
    }
}

impl FleetHost for Host {
    type Fleet = FleetSession;

    async fn admit(&self, proof: NodeProof, head: &Head) -> Result<FleetSession> {
        let link = &self.0.link;
        let (key, node) = match proof {
            NodeProof::Signature(signature) => {
                let key = self.verified(&signature)?;
                let node = link.node_of_key(&key).await?;
                (Some(key), node)
            }
            NodeProof::Shared(key) => {
                let node = link.node_of_key(&key).await?;
                (Some(key), node)
            }
            NodeProof::Nothing(node) => (None, node),
        };
        let peer = head.peer.as_ref();
        Ok(FleetSession {
            link: Arc::clone(link),
            key,
            node,
            certificate: peer.and_then(|peer| peer.certificate.clone()),
        })
    }

    fn unsigned(&self) -> Unsigned<'_> {
        match (&self.0.policy, &self.0.own_key) {
            (Policy::AnyKey, _) => Unsigned::Open,
            (Policy::Listed(allowed), Some(own)) => Unsigned::Shared { own, allowed },
            (Policy::Listed(_), None) => Unsigned::Closed,
        }
    }

    async fn noted(&self, node: NodeId) -> Result<Option<WireName>> {
        let wire = self.0.link.noted_wire(node).await?;
        Ok(wire.and_then(|wire| WireName::find(&wire)))
    }

    async fn note(&self, node: NodeId, wire: WireName) -> Result<()> {
        Ok(self.0.link.note_wire(node, wire.0).await?)
    }

    fn was_heard(&self, node: NodeId) -> bool {
        self.0.link.was_heard(node)
    }

    fn hear(&self, node: NodeId) {
        self.0.link.hear(node);
    }

    async fn settled(&self, node: NodeId, within: Duration) {
        self.0.link.first_sign(node, within).await;
    }

    async fn complete<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        let stopping = || Failure::from(crate::error::Error::Stopping);
        let under_way = Arc::clone(&self.0.under_way);
        let place = under_way.acquire_owned().await.map_err(|_| stopping())?;
        let done = tokio::spawn(
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
        self.0.link.now()
    }
}

#[cfg(test)]
mod tests;
