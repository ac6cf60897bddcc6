//! What a request says before its body.

use std::net::IpAddr;
use std::time::Duration;

use flwr_security::peer::Peer;

/// What a request says before its body, whatever carries it.
#[derive(Debug, Clone)]
pub struct Head {
    /// How long the caller waits for its answer, less the time of the answer's way back.
    pub patience: Duration,
    /// The other end of the connection, where the listener has told it.
    pub peer: Option<Peer>,
}

impl Head {
    /// The address of the other end, for the limits of what one address may do.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.peer.as_ref().map(|peer| peer.address.ip())
    }

    /// The caller was admitted: the connection does not count among those of strangers any more.
    pub(crate) fn admitted(&self) {
        if let Some(peer) = &self.peer {
            peer.standing.admit();
        }
    }
}
