//! What a caller sends through: the line to the program at the other end of a wire.
//!
//! A generation's calling half turns calls of a port into messages of its release, and hands these
//! to a line. The carrier, the connection and the proof of who calls are the line's own. The lines
//! that programs use are in `flwr-client`.

use std::time::Duration;

use flwr_core::port::Result;
use futures::stream::BoxStream;
use prost::Message;

/// A message that a line can send. A refused call may be sent once more, under another name or with
/// a new proof: a clone must be cheap.
pub trait Sent: Message + Clone + 'static {}
impl<M: Message + Clone + 'static> Sent for M {}

/// A message that a line can read.
pub trait Read: Message + Default + 'static {}
impl<M: Message + Default + 'static> Read for M {}

/// The line to one program. Clones share the connection.
pub trait Line: Clone + Send + Sync + 'static {
    /// Calls a method that has one answer. `path` is the method's under gRPC. The call ends after
    /// `limit`.
    ///
    /// # Errors
    /// If the program refuses, or gives no answer.
    fn call<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<A>> + Send;

    /// Calls a method that has many answers.
    ///
    /// # Errors
    /// If the program refuses, or gives no answer.
    fn stream<Q: Sent, A: Read>(
        &self,
        path: &'static str,
        message: Q,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<Answers<A>>> + Send;
}

/// The answers of one call, in their order. The call ends with the first failure.
pub type Answers<A> = BoxStream<'static, Result<A>>;
