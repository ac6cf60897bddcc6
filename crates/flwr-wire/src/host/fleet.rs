//! The host of nodes.

use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::port::{NodeLife, Result};
use flwr_security::allow_list::AllowList;
use flwr_security::from_file::FromFile;
use flwr_security::key::{PrivateKey, PublicKey};
use flwr_security::signature::SignatureHeaders;

use super::{Head, Host};
use crate::wire_name::WireName;

/// How a node proves who it is.
#[derive(Debug)]
pub enum NodeProof {
    /// By a signature with its key. The host verifies it.
    Signature(SignatureHeaders),
    /// By an HMAC of the secret that this listed key shares with the SuperLink. The generation has
    /// checked the HMAC.
    Shared(PublicKey),
    /// By nothing, where every key is taken: the node is known by the id that it got.
    Nothing(Option<NodeId>),
}

/// How nodes come in whose requests carry no signature.
#[derive(Debug, Clone, Copy)]
pub enum Unsigned<'a> {
    /// All of them.
    Open,
    /// Those that share a secret with the SuperLink.
    Shared {
        /// The SuperLink's own key, from which each secret is made.
        own: &'a PrivateKey,
        /// The keys of the nodes that may come in.
        allowed: &'a FromFile<AllowList>,
    },
    /// None: keys are asked for, and the SuperLink shares no secrets.
    Closed,
}

/// The SuperLink, as the door for nodes sees it.
pub trait FleetHost: Host {
    /// A session of a node.
    type Fleet: NodeLife;

    /// Opens a session for whoever gives this proof.
    ///
    /// # Errors
    /// If the proof does not hold.
    fn admit(
        &self,
        proof: NodeProof,
        head: &Head,
    ) -> impl Future<Output = Result<Self::Fleet>> + Send;

    /// Checks that the caller may speak as a node (still).
    ///
    /// # Errors
    /// If the caller's key is not let in, or is bound to no node.
    fn require_node(&self, fleet: &Self::Fleet) -> Result<()>;

    /// The id of the node of this key. A new key is bound to an id. The node does not come online by
    /// that, and a node that is there is not touched: the caller has proven nothing yet.
    ///
    /// # Errors
    /// If the heartbeat `interval` that the node will keep is out of bounds, or the state fails.
    fn bind(&self, key: &PublicKey, interval: f64) -> impl Future<Output = Result<NodeId>> + Send;

    /// How nodes come in whose requests carry no signature.
    fn unsigned(&self) -> Unsigned<'_>;

    /// What the node was noted to speak.
    ///
    /// # Errors
    /// If the state fails.
    fn noted(&self, node: NodeId) -> impl Future<Output = Result<Option<WireName>>> + Send;

    /// Notes what the node speaks, and wakes who waits for that.
    ///
    /// # Errors
    /// If the state fails.
    fn note(&self, node: NodeId, wire: WireName) -> impl Future<Output = Result<()>> + Send;

    /// Whether the node has given a sign of life since it was taken in, or since the host started.
    fn was_heard(&self, node: NodeId) -> bool;

    /// The node has given a sign of life; who waits for that is woken.
    fn hear(&self, node: NodeId);

    /// Waits until a node that has just been taken in has given a sign of life, `within` that time.
    fn settled(&self, node: NodeId, within: Duration) -> impl Future<Output = ()> + Send;
}
