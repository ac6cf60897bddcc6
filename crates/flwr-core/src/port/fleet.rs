//! What a node asks of its SuperLink.

use std::time::Duration;

use bytes::Bytes;

use super::Result;
use crate::id::{NodeId, RunId};
use crate::message::{MessageId, Parcel};
use crate::object::{ObjectId, Pulled};
use crate::run::AppRun;

/// One node's session with its SuperLink. On the SuperLink a value of this trait exists only
/// behind a proof of who calls, so that the caller is no argument of any method. On the node a
/// value is the way to a SuperLink, and has a node from its activation on.
pub trait Fleet: Send + Sync + 'static {
    /// The node for which this session speaks. `None`: its key is not bound to a node yet.
    fn node(&self) -> Option<NodeId>;

    /// Takes the node in: it is online for one heartbeat `interval`, in seconds. A key that is bound to
    /// no node is bound to one first, where nodes register themselves or a list names the key.
    ///
    /// # Errors
    /// If the interval is not 10 to 1,800 s, or the key may not come in.
    fn join(&self, interval: f64) -> impl Future<Output = Result<NodeId>> + Send;

    /// Gives a sign of life, and promises the next within `interval` seconds. False if the node is
    /// not known.
    ///
    /// # Errors
    /// If the interval is not 10 to 1,800 s.
    fn heartbeat(&self, interval: f64) -> impl Future<Output = Result<bool>> + Send;

    /// The node says goodbye: it goes offline. A node that registered itself is unregistered by that,
    /// unless a ServerApp waits for a reply of it.
    ///
    /// # Errors
    /// If the session has no node.
    fn leave(&self) -> impl Future<Output = Result<()>> + Send;

    /// The next message for the node. The call is held for `patience` at most.
    ///
    /// # Errors
    /// If the session has no node, or the message is malformed.
    fn pull(&self, patience: Duration) -> impl Future<Output = Result<Option<Parcel>>> + Send;

    /// Stores the node's reply, on which a ClientApp has `worked` for so long. Gives the objects that are
    /// still to be pushed. `None`: the reply is not wanted any more.
    ///
    /// # Errors
    /// If the reply is of another node, or its run is not running.
    fn push(
        &self,
        reply: Parcel,
        worked: Option<Duration>,
    ) -> impl Future<Output = Result<Option<Vec<ObjectId>>>> + Send;

    /// Stores the bytes of an announced object. False: no message of the run announced it.
    ///
    /// # Errors
    /// If the run is not running, or the bytes are no object.
    fn push_object(
        &self,
        run: RunId,
        id: ObjectId,
        content: Bytes,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The bytes of an object of a running run.
    ///
    /// # Errors
    /// If the run is not running.
    fn pull_object(&self, run: RunId, id: ObjectId) -> impl Future<Output = Result<Pulled>> + Send;

    /// Confirms that a message and its objects arrived.
    ///
    /// # Errors
    /// If the run is not running.
    fn confirm(&self, run: RunId, message: MessageId) -> impl Future<Output = Result<()>> + Send;

    /// A running run, as its nodes may know it.
    ///
    /// # Errors
    /// If the run is not running, or its configuration cannot be read.
    fn run(&self, run: RunId) -> impl Future<Output = Result<AppRun>> + Send;

    /// The FAB of a running run. `None`: the caller does not name the run.
    ///
    /// # Errors
    /// If the run is not running, or there is no FAB with this hash.
    fn fab(&self, run: Option<RunId>, hash: &str) -> impl Future<Output = Result<Bytes>> + Send;
}
