//! Nodes: who is admitted, and what a session does.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{MessageId, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::{Fleet, NodeLife, Result};
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::run::AppRun;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::peer::Peer;
use flwr_security::signature::SignatureHeaders;
use flwr_security::tls::Certificate;
use flwr_wire::generations::WireName;
use flwr_wire::host::{FleetHost, Head, NodeProof, Release, Unsigned};
use time::OffsetDateTime;
use tracing::warn;

use super::Host;
use crate::auth::{self, Policy};
use crate::error::Error;
use crate::link::Link;
use crate::link::state::Traits;

/// A node's session. Only [`Host`](super::Host) makes sessions, each from a proof.
#[derive(Debug, Clone)]
pub struct FleetSession {
    host: Host,
    /// None where the node has shown no key.
    key: Option<PublicKey>,
    node: Option<NodeId>,
    /// A person has registered the node.
    is_enrolled: bool,
    /// The other end of the caller's connection.
    peer: Option<Peer>,
    /// The caller's release, where it tells that.
    release: Option<Release>,
}

impl FleetSession {
    pub(super) const fn host(&self) -> &Host {
        &self.host
    }

    fn link(&self) -> &Arc<Link> {
        self.host.link()
    }

    /// The key and the node of a caller that is admitted.
    pub(super) fn identity(&self) -> Option<(PublicKey, NodeId)> {
        let key = self.key.clone().filter(|_| self.is_admitted())?;
        Some((key, self.node?))
    }

    /// The other end of the caller's connection.
    pub(super) const fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// The certificate that the caller's connection was made with.
    fn certificate(&self) -> Option<Arc<Certificate>> {
        self.peer.as_ref()?.certificate.clone()
    }

    fn policy(&self) -> &Policy {
        &self.host.0.parts.policy
    }

    /// What is seen of a node that begins a session stays with the node.
    async fn note_traits(&self, node: NodeId) -> Result<()> {
        let certificate = self.certificate();
        let traits = Traits {
            release: self.release.map(|release| release.to_string()),
            certificate: certificate.map(|shown| shown.subject.clone()),
        };
        Ok(self.link().note_traits(node, traits).await?)
    }

    fn is_admitted(&self) -> bool {
        self.policy().admits(self.key.as_ref(), self.is_enrolled)
    }

    /// The body of a request may take hours. Whoever is off the list by then is refused.
    fn require_admitted(&self) -> Result<()> {
        match self.is_admitted() {
            true => Ok(()),
            // Where people register nodes, a key that is not let in is a key without a node.
            false if self.policy().enrolls() => Err(Refusal::NotRegistered.into()),
            false => Err(Refusal::UnknownKey.into()),
        }
    }

    /// Whether the key may begin a session though it is bound to no node: a list names it, and nobody
    /// has unregistered its node.
    fn is_listed(&self) -> bool {
        let key = self.key.as_ref();
        key.is_some_and(|key| {
            let is_dismissed = self.policy().enrolls() && self.link().is_dismissed(key);
            self.policy().lists(key) && !is_dismissed
        })
    }

    /// A key for a node that has shown none: nobody has this key, and the node is known by its id.
    fn keyless() -> Result<PublicKey> {
        let key = PrivateKey::generate().map_err(|_| Error::Random)?;
        Ok(key.public_key().clone())
    }

    /// A new node takes a row of the state.
    fn require_room(&self) -> Result<()> {
        if self.policy().is_open() && (self.key.is_none() || self.node.is_none()) {
            self.host.0.newcomers.require_room(self.peer.as_ref())?;
        }
        Ok(())
    }

    fn required_node(&self) -> Result<NodeId> {
        Ok(self.node.ok_or(Refusal::NotRegistered)?)
    }
}

impl Fleet for FleetSession {
    fn node(&self) -> Option<NodeId> {
        self.node
    }

    async fn join(&self, interval: f64) -> Result<NodeId> {
        let may_come = self.policy().is_open()
            || self.is_listed()
            || (self.is_admitted() && self.node.is_some());
        if !may_come {
            let by_people = true;
            return Err(match self.policy().enrolls() {
                true => Refusal::NoNodeOfKey { by_people }.into(),
                // As SuperLinks of flwr 1.22 with a list say it.
                false => Refusal::UnknownKey.into(),
            });
        }
        self.require_room()?;
        let key = self.key.clone().map_or_else(Self::keyless, Ok)?;
        let certificate = self.certificate();
        let node = self.link().take_in(&key, interval, certificate).await?;
        self.note_traits(node).await?;
        Ok(node)
    }

    async fn heartbeat(&self, interval: f64) -> Result<bool> {
        self.require_admitted()?;
        let node = self.required_node()?;
        let certificate = self.certificate();
        self.link().identify_node(node, certificate).await?;
        Ok(self.link().node_lives(node, interval).await?)
    }

    async fn leave(&self) -> Result<()> {
        self.require_admitted()?;
        Ok(self.link().remove_node(self.required_node()?).await?)
    }

    async fn pull(&self, patience: Duration) -> Result<Option<Parcel>> {
        let node = self.required_node()?;
        let claimed = self
            .link()
            .claim_while(node, patience, || self.is_admitted())
            .await?;
        self.require_admitted()?;
        Ok(claimed)
    }

    async fn push(&self, reply: Parcel, worked: Option<Duration>) -> Result<Option<Vec<ObjectId>>> {
        self.require_admitted()?;
        let (caller, claimed) = (self.node, reply.message.metadata.src);
        if caller != Some(claimed) {
            return Err(Refusal::OtherNode { caller, claimed }.into());
        }
        let run = reply.message.metadata.run;
        let missing = self.link().reply(reply).await?;
        if let (Some(_), Some(worked)) = (&missing, worked) {
            self.link().count_work(run, worked);
        }
        Ok(missing)
    }

    async fn push_object(&self, run: RunId, id: ObjectId, content: Bytes) -> Result<bool> {
        self.require_admitted()?;
        let node = self.required_node()?;
        // Objects are known by their content: another node's would be taken as well.
        if !self.link().may_push(node, run, id).await? {
            return Ok(false);
        }
        let received = content.len() as u64;
        let is_stored = self.link().push_object(run, id, content).await?;
        if is_stored {
            self.link().has_pushed(node, id);
            self.link().count_received(run, received);
        }
        Ok(is_stored)
    }

    async fn pull_object(&self, run: RunId, id: ObjectId) -> Result<Pulled> {
        self.require_admitted()?;
        let node = self.required_node()?;
        if !self.link().may_pull(node, run, id).await? {
            return Ok(Pulled::Unknown);
        }
        let pulled = self.link().pull_object(run, id).await?;
        if let Pulled::There(content) = &pulled {
            self.link().count_sent(run, content.len() as u64);
        }
        Ok(pulled)
    }

    async fn confirm(&self, run: RunId, message: MessageId) -> Result<()> {
        self.require_admitted()?;
        let node = self.required_node()?;
        if self.link().is_for(node, run, message).await? {
            self.link().confirm(run, message).await?;
            self.link().has_received(node);
        }
        Ok(())
    }

    async fn run(&self, run: RunId) -> Result<AppRun> {
        self.require_admitted()?;
        Ok(self.link().require_running(run).await?.into())
    }

    async fn fab(&self, run: Option<RunId>, hash: &str) -> Result<Bytes> {
        self.require_admitted()?;
        if let Some(run) = run {
            let known = self.link().require_running(run).await?;
            if known.fab_hash != hash {
                let hash = hash.chars().take(64).collect();
                return Err(Refusal::FabOfAnotherRun { run, hash }.into());
            }
        }
        Ok(self.link().fab(hash).await?)
    }
}

impl NodeLife for FleetSession {
    fn key(&self) -> Option<Bytes> {
        self.key.as_ref().map(|key| key.to_spki().into())
    }

    async fn register(&self) -> Result<NodeId> {
        let key = self.key.as_ref().ok_or(Refusal::MissingSignature)?;
        if !self.policy().is_open() && !self.is_listed() {
            return Err(Refusal::RegisteredByPeople.into());
        }
        self.require_room()?;
        Ok(self.link().register(key).await?)
    }

    async fn activate(&self, interval: f64) -> Result<NodeId> {
        let key = self.key.as_ref().ok_or(Refusal::MissingSignature)?;
        if self.is_listed() {
            return self.join(interval).await;
        }
        let by_people = !self.policy().is_open();
        let unknown = || Failure::from(Refusal::NoNodeOfKey { by_people });
        if !self.is_admitted() {
            return Err(unknown());
        }
        let activated = self.link().activate(key, interval, self.certificate());
        let node = activated.await.map_err(|error| match error {
            Error::Refused(Refusal::NotRegistered) => unknown(),
            error => error.into(),
        })?;
        self.note_traits(node).await?;
        Ok(node)
    }

    async fn deactivate(&self) -> Result<()> {
        self.require_admitted()?;
        Ok(self.link().deactivate(self.required_node()?).await?)
    }

    async fn unregister(&self) -> Result<()> {
        self.require_admitted()?;
        if self.policy().enrolls() {
            return Err(Refusal::UnregisteredByPeople.into());
        }
        Ok(self.link().remove_node(self.required_node()?).await?)
    }
}

impl Host {
    /// The proven key of a caller that signs.
    fn verified(&self, signature: &SignatureHeaders, head: &Head) -> Result<PublicKey> {
        let (verifier, now) = (&self.0.verifier, OffsetDateTime::now_utc());
        let mut verified = verifier.verify(signature, now);
        // A node whose clock is right must not be lost while ours is not: the clock as it was before
        // a step counts, too.
        if let Err(Refusal::StaleTimestamp { .. }) = &verified
            && let Some(step) = self.link().clock_step()
            && let Some(before) = now.checked_sub(time::Duration::seconds_f64(step))
        {
            verified = verifier.verify(signature, before);
        }
        verified.map_err(|refusal| {
            // An operator sees each kind of refusal of each address, also while others flood.
            let kind = (discriminant(&refusal), head.address());
            if let Some(more) = self.0.quiet.ask(kind) {
                warn!(%refusal, more, "Fleet request refused");
            }
            refusal.into()
        })
    }
}

impl FleetHost for Host {
    type Fleet = FleetSession;

    async fn admit(&self, proof: NodeProof, head: &Head) -> Result<FleetSession> {
        let link = self.link();
        let (key, node) = match proof {
            NodeProof::Signature(signature) => {
                let key = self.verified(&signature, head)?;
                let node = link.node_of_caller(&key).await?;
                (Some(key), node)
            }
            NodeProof::Shared(key) => {
                let node = link.node_of_key(&key).await?;
                (Some(key), node)
            }
            NodeProof::Nothing(node) => (None, node),
        };
        auth::require_own(link, head.peer.as_ref(), node)?;
        let is_enrolled = match node {
            Some(node) if self.0.parts.policy.enrolls() => link.is_enrolled(node).await?,
            _ => false,
        };
        Ok(FleetSession {
            host: self.clone(),
            key,
            node,
            is_enrolled,
            peer: head.peer.clone(),
            release: head.release,
        })
    }

    fn require_node(&self, session: &FleetSession) -> Result<()> {
        if session.node.is_none() {
            return Err(Refusal::NotRegistered.into());
        }
        session.require_admitted()
    }

    async fn bind(&self, key: &PublicKey, interval: f64) -> Result<NodeId> {
        Ok(self.link().bind_node(key, interval).await?)
    }

    fn unsigned(&self) -> Unsigned<'_> {
        let policy = &self.0.parts.policy;
        match (policy.list(), &self.0.parts.own_key) {
            (Some(allowed), Some(own)) => Unsigned::Shared { own, allowed },
            _ if policy.is_open() => Unsigned::Open,
            _ => Unsigned::Closed,
        }
    }

    async fn noted(&self, node: NodeId) -> Result<Option<WireName>> {
        let wire = self.link().noted_wire(node).await?;
        Ok(wire.and_then(|wire| WireName::find(&wire)))
    }

    async fn note(&self, node: NodeId, wire: WireName) -> Result<()> {
        Ok(self.link().note_wire(node, wire.0).await?)
    }

    fn was_heard(&self, node: NodeId) -> bool {
        self.link().was_heard(node)
    }

    fn hear(&self, node: NodeId) {
        self.link().hear(node);
    }

    async fn settled(&self, node: NodeId, within: Duration) {
        self.link().first_sign(node, within).await;
    }
}
