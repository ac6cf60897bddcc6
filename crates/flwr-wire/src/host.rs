//! What the program behind a door gives: sessions for those who have proven who they are.

use std::time::Duration;

use flwr_core::port::Result;
use flwr_core::time::Timestamp;
use flwr_security::peer::Peer;
use futures::future::BoxFuture;

mod control;
mod fleet;
mod launch;
mod runtime;

pub use control::{AccountProof, Admission, ControlHost};
pub use fleet::{FleetHost, NodeProof, Unsigned};
pub use launch::LaunchHost;
pub use runtime::{AppProof, Launch, RuntimeHost, ServerAppHost};

/// What a request says before its body, whatever carries it.
#[derive(Debug, Clone)]
pub struct Head {
    /// How long the caller waits for its answer, less the time of the answer's way back.
    pub patience: Duration,
    /// The other end of the connection, where the listener has told it.
    pub peer: Option<Peer>,
}

/// What all hosts give.
pub trait Host: Clone + Send + Sync + 'static {
    /// Does this work to its end, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// If the work fails, or the host stops.
    fn complete<T: Send + 'static>(
        &self,
        work: BoxFuture<'static, Result<T>>,
    ) -> impl Future<Output = Result<T>> + Send;

    /// Waits for an answer. A call that `changes` something is served to its end.
    ///
    /// # Errors
    /// As the call fails.
    fn answered<T: Send + 'static>(
        &self,
        changes: bool,
        answer: BoxFuture<'static, Result<T>>,
    ) -> impl Future<Output = Result<T>> + Send {
        async move {
            if changes {
                self.complete(answer).await
            } else {
                answer.await
            }
        }
    }

    /// Whether the program at the other end of a connection may call at all. Everybody may, unless
    /// the host has a list.
    ///
    /// # Errors
    /// If the peer is not on the host's list.
    fn accept(&self, _peer: Option<&Peer>) -> Result<()> {
        Ok(())
    }

    /// The same at a port for people and for the programs by which they start runs.
    ///
    /// # Errors
    /// If the peer is not on the host's list, or is no person's program.
    fn accept_person(&self, peer: Option<&Peer>) -> Result<()> {
        self.accept(peer)
    }

    /// The time by the host's clock.
    fn now(&self) -> Timestamp;
}
