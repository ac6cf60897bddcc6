//! The host of nodes that join.

use flwr_core::port::{Joining, NodeTrust};

use super::{FleetHost, Head};

/// The SuperLink, as the door for joining nodes sees it.
pub trait JoinHost: FleetHost<Fleet: NodeTrust> {
    /// What a node asks that has no session yet.
    type Joining: Joining;

    /// What the caller with this head asks before it has a session.
    fn joining(&self, head: &Head) -> Self::Joining;
}
