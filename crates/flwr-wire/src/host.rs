//! What the program behind a door gives: sessions for those who have proven who they are.

use flwr_core::port::Result;
use flwr_core::refusal::Ground;
use flwr_core::time::Timestamp;
use flwr_metrics::Calls;
use flwr_security::peer::Peer;
use futures::future::BoxFuture;

use crate::in_flight::InFlight;

mod control;
mod fleet;
mod joining;
mod launch;
mod runtime;

pub use crate::head::{Head, Release};
pub use control::{AccountProof, Admission, ControlHost};
pub use fleet::{FleetHost, NodeProof, Unsigned};
pub use joining::JoinHost;
pub use launch::LaunchHost;
pub use runtime::{AppProof, Launch, LauncherProof, RuntimeHost, ServerAppHost};

/// What all hosts give.
pub trait Host: Clone + Send + Sync + 'static {
    /// Does this work to its end, also when the caller goes away meanwhile. Bytes that were stored
    /// are then counted, and a repeated call finds what the first one did. Every call is served in
    /// this way, but for the wait of a held call.
    ///
    /// # Errors
    /// If the work fails, or the host stops.
    fn complete<T: Send + 'static>(
        &self,
        work: BoxFuture<'static, Result<T>>,
    ) -> impl Future<Output = Result<T>> + Send;

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

    /// The budget for the bytes of requests.
    fn in_flight(&self) -> &InFlight;

    /// Where calls are counted, if they are.
    fn calls(&self) -> Option<&Calls> {
        None
    }
}

/// The calls of a daemon's peers, none of which was counted yet.
#[must_use]
pub fn uncounted_calls() -> Calls {
    Calls::new(&Ground::ALL.map(Ground::word))
}
