//! Nodes: who is there, and until when they count as online.

use std::ops::RangeInclusive;
use std::sync::Arc;

use flwr_core::id::{NodeId, RunId};
use flwr_core::port::control::NodeStatus;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use flwr_security::tls::{Certificate, Issued};
use tracing::{info, warn};

use super::Link;
use super::commit::Stores;
use super::state::{KnownNode, Traits};
use crate::error::{Error, Result};

/// Intervals that a node may miss before it counts as lost (as Flower has it).
const PATIENCE: f64 = 2.0;
/// Seconds between two heartbeats that a peer may announce (upstream's bounds).
const INTERVALS: RangeInclusive<f64> = 10.0..=1800.0;
/// Seconds between two heartbeats that count. A node that announces more is lost after
/// [`PATIENCE`] times this all the same: dead nodes must not stay online for an hour.
const COUNTED_INTERVAL: f64 = 300.0;

impl Link {
    /// Takes a node in. It is online for one heartbeat interval (in seconds). A new key is bound to a
    /// node first. A key that was here before gets its node's id back, also where its process died
    /// without a goodbye. The certificate is the one it came with, if it was asked for one.
    ///
    /// # Errors
    /// If the interval is none.
    pub async fn take_in(
        &self,
        key: &PublicKey,
        interval: f64,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<NodeId> {
        checked_interval(interval)?;
        loop {
            let (node, resumed) = self.node_for(key).await?;
            match self.activate_node(node, interval).await {
                Ok(()) => {
                    self.tell_of(node, key, resumed, certificate.as_deref());
                    self.identify_node(node, certificate).await?;
                    return Ok(node);
                }
                // Another process with this key said goodbye in this very moment.
                Err(Error::Refused(Refusal::NotRegistered)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The node of this key begins a session, and is online for one heartbeat interval (in seconds).
    ///
    /// # Errors
    /// If the interval is none, or the key is bound to no node.
    pub async fn activate(
        &self,
        key: &PublicKey,
        interval: f64,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<NodeId> {
        checked_interval(interval)?;
        let node = self.state.node_of_key(key).await?;
        let node = node.ok_or(Refusal::NotRegistered)?;
        self.activate_node(node, interval).await?;
        self.tell_of(node, key, true, certificate.as_deref());
        self.identify_node(node, certificate).await?;
        Ok(node)
    }

    async fn activate_node(&self, node: NodeId, interval: f64) -> Result<()> {
        let interval = checked_interval(interval)?;
        let now = self.now();
        // A call that is still held for the node's earlier life would take its messages: it is woken,
        // and ends.
        let activated = self.commit(move |Stores { state, .. }| async move {
            state.activate_node(node, now + interval, now).await
        });
        activated.await.map(drop)
    }

    fn tell_of(&self, node: NodeId, key: &PublicKey, resumed: bool, shown: Option<&Certificate>) {
        let subject = shown.map(|shown| shown.subject.as_str());
        let key = key.fingerprint();
        info!(node_id = %node, resumed, %key, subject, "SuperNode registered");
    }

    /// Binds a new key to a node, which is not online by that.
    ///
    /// # Errors
    /// If the key is bound already.
    pub async fn register(&self, key: &PublicKey) -> Result<NodeId> {
        match self.node_for(key).await? {
            (node, false) => Ok(node),
            (_, true) => Err(Refusal::KeyInUse.into()),
        }
    }

    /// The node of this key. A new key is bound to a node, which is not online by that; a node that
    /// is there stands as it was. The `interval` is what its heartbeats will announce.
    ///
    /// # Errors
    /// If the interval is none.
    pub async fn bind_node(&self, key: &PublicKey, interval: f64) -> Result<NodeId> {
        checked_interval(interval)?;
        Ok(self.node_for(key).await?.0)
    }

    /// The node of this key, which may be new, and whether it was here before.
    async fn node_for(&self, key: &PublicKey) -> Result<(NodeId, bool)> {
        if let Some(node) = self.state.node_of_key(key).await? {
            return Ok((node, true));
        }
        let fresh = random_node()?;
        let (key, now) = (key.clone(), self.now());
        let registered = self.commit(move |Stores { state, .. }| async move {
            state.register_node(&key, fresh, now).await
        });
        let registration = registered.await?;
        Ok((registration.node, registration.resumed))
    }

    /// Notes what was seen of a node. What is not seen this time stays as it was noted.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn note_traits(&self, node: NodeId, seen: Traits) -> Result<()> {
        let Some(known) = self.state.node(node).await? else {
            return Ok(());
        };
        let traits = Traits {
            release: seen.release.or_else(|| known.traits.release.clone()),
            certificate: seen
                .certificate
                .or_else(|| known.traits.certificate.clone()),
        };
        if traits != known.traits {
            self.state.note_traits(node, &traits).await?;
        }
        Ok(())
    }

    /// Notes by which certificate a node was seen.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn identify_node(
        &self,
        node: NodeId,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<()> {
        let Some(certificate) = certificate else {
            return Ok(());
        };
        let owner = certificate.owner();
        if !self.state.is_of_node(&owner) {
            self.state.note_certificate(&owner).await?;
        }
        self.connections.identify(node, certificate);
        Ok(())
    }

    /// Whether a node was ever seen by a certificate of this one's owner.
    #[must_use]
    pub fn is_of_node(&self, certificate: &Certificate) -> bool {
        self.state.is_of_node(&certificate.owner())
    }

    /// Whether a certificate that was issued to a node is good still: the node is registered, and has
    /// the same key.
    #[must_use]
    pub fn is_in_force(&self, issued: &Issued) -> bool {
        self.state.is_key_of(&issued.key, issued.node)
    }

    /// The calls for a message that are held for the node.
    #[cfg(test)]
    pub(crate) fn held_calls(&self, node: NodeId) -> usize {
        self.connections.held(node)
    }

    /// All nodes that are registered, in the order of their ids, each with the certificate by
    /// which it was seen last since the SuperLink started.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn known_nodes(&self) -> Result<Vec<(KnownNode, Option<Arc<Certificate>>)>> {
        let nodes = self.state.nodes().await?.into_iter();
        let nodes = nodes.filter(|node| node.unregistered_at.is_none());
        let with_certificate = |node: KnownNode| {
            let certificate = self.connections.certificate(node.id);
            (node, certificate)
        };
        Ok(nodes.map(with_certificate).collect())
    }

    /// The node says goodbye. A node that registered itself is unregistered by that, unless a
    /// ServerApp waits for a reply of it: a node that is only started again finds its messages when it
    /// returns. Such a node and any other goes offline and stays registered.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn remove_node(&self, node: NodeId) -> Result<()> {
        let known = self.state.node(node).await?;
        let Some(known) = known.filter(|known| known.unregistered_at.is_none()) else {
            return Ok(());
        };
        let may_return = known.owner.is_some() || self.state.is_awaited(node).await?;
        if !may_return {
            self.connections.leave(node);
        }
        let now = self.now();
        let left = self.commit(move |Stores { state, .. }| async move {
            if may_return {
                state.deactivate_node(node, now).await
            } else {
                state.unregister_node(node, now).await
            }
        });
        left.await?;
        info!(node_id = %node, "SuperNode left");
        Ok(())
    }

    /// The node ends its session, and stays registered.
    ///
    /// # Errors
    /// If the node is not online.
    pub async fn deactivate(&self, node: NodeId) -> Result<()> {
        let now = self.now();
        let known = self.state.node(node).await?;
        if known.is_none_or(|known| known.status(now) != NodeStatus::Online) {
            return Err(Refusal::NotOnline(node).into());
        }
        let left = self.commit(move |Stores { state, .. }| async move {
            state.deactivate_node(node, now).await
        });
        left.await?;
        info!(node_id = %node, "SuperNode left");
        Ok(())
    }

    /// Whether a person has registered the node.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn is_enrolled(&self, node: NodeId) -> Result<bool> {
        let known = self.state.node(node).await?;
        Ok(known.is_some_and(|known| known.owner.is_some() && known.unregistered_at.is_none()))
    }

    /// Whether a person has unregistered the node of this key, and nobody has registered the key since.
    #[must_use]
    pub fn is_dismissed(&self, key: &PublicKey) -> bool {
        self.state.is_dismissed(key)
    }

    /// Ends the sessions of nodes whose keys are not admitted any more: they are offline, and the
    /// calls that are held for them end. A node that is admitted again goes on with its next
    /// heartbeat.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn end_sessions(&self, is_admitted: impl Fn(&KnownNode) -> bool) -> Result<()> {
        for node in self.state.nodes().await? {
            let has_session =
                node.unregistered_at.is_none() && node.session > 0 && !node.has_left();
            if !has_session || is_admitted(&node) {
                continue;
            }
            let (id, now) = (node.id, self.now());
            let ended = self.commit(move |Stores { state, .. }| async move {
                state.deactivate_node(id, now).await
            });
            ended.await?;
            let key = node.key.fingerprint();
            warn!(node_id = %node.id, %key, "the SuperNode is offline from now on: its key is not on --auth-list-public-keys any more, or nobody has registered it with `flwr supernode register`");
        }
        Ok(())
    }

    /// The node gives a sign of life, and promises the next within `interval` seconds. False if
    /// it is not known here.
    ///
    /// # Errors
    /// If the interval is none.
    pub async fn node_lives(&self, node: NodeId, interval: f64) -> Result<bool> {
        let until = self.lease(interval)?;
        Ok(self.state.keep_node(node, until, self.now()).await?)
    }

    /// Until when somebody counts as alive who gives the next sign of life within `interval`
    /// seconds.
    pub(super) fn lease(&self, interval: f64) -> Result<Timestamp> {
        Ok(self.now() + PATIENCE * checked_interval(interval)?)
    }

    /// The node bound to this key.
    ///
    /// # Errors
    /// If the state fails.
    pub async fn node_of_key(&self, key: &PublicKey) -> Result<Option<NodeId>> {
        Ok(self.state.node_of_key(key).await?)
    }

    /// The nodes that a running run can send to.
    ///
    /// # Errors
    /// If the run is not running.
    pub async fn nodes(&self, run: RunId) -> Result<Vec<NodeId>> {
        self.require_running(run).await?;
        let now = self.now();
        let online = self.state.online_nodes(now).await?;
        self.waiting.asked(run, online.len(), now);
        Ok(online)
    }
}

fn checked_interval(seconds: f64) -> Result<f64> {
    if INTERVALS.contains(&seconds) {
        return Ok(seconds.min(COUNTED_INTERVAL));
    }
    let (given, min, max) = (seconds, *INTERVALS.start(), *INTERVALS.end());
    Err(Refusal::HeartbeatInterval { given, min, max }.into())
}

pub(super) fn random_node() -> Result<NodeId> {
    loop {
        if let Some(node) = NodeId::from_random(super::runs::random_id()?) {
            return Ok(node);
        }
    }
}
