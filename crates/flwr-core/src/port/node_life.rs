//! The steps of a node's life, each by itself.

use bytes::Bytes;

use super::{Fleet, Result};
use crate::id::NodeId;

/// What a node's session can ask for its node, a step at a time. [`Fleet::join`] and [`Fleet::leave`]
/// take the steps that fit.
pub trait NodeLife: Fleet {
    /// The session's key: SubjectPublicKeyInfo in DER. `None`: the caller has shown none.
    fn key(&self) -> Option<Bytes>;

    /// Binds the session's key to a new node, which is not online by that.
    ///
    /// # Errors
    /// If the key is bound already, or nodes do not register themselves here.
    fn register(&self) -> impl Future<Output = Result<NodeId>> + Send;

    /// The node of the session's key begins a session: it is online for one heartbeat `interval`, in
    /// seconds. A listed key needs no registration.
    ///
    /// # Errors
    /// If the interval is not 10 to 1,800 s, or the key is bound to no node.
    fn activate(&self, interval: f64) -> impl Future<Output = Result<NodeId>> + Send;

    /// The node ends its session: it is offline, and stays registered.
    ///
    /// # Errors
    /// If the session has no node, or the node is not online.
    fn deactivate(&self) -> impl Future<Output = Result<()>> + Send;

    /// The node goes for good. A node for whose reply a ServerApp waits stays registered for now: it
    /// may only be started again.
    ///
    /// # Errors
    /// If the session has no node, or people register nodes here.
    fn unregister(&self) -> impl Future<Output = Result<()>> + Send;
}
