//! Which of the clients with a good certificate may speak. The handshake has shown that the
//! certificate is good. Each request looks at the list again, so that a client that is taken off the
//! list is cut off at once.

use std::net::IpAddr;
use std::sync::LazyLock;

use flwr_core::quiet::Quiet;
use flwr_core::refusal::Refusal;
use flwr_security::client_list::ClientList;
use flwr_security::peer::Peer;
use tracing::warn;

static QUIET: LazyLock<Quiet<Option<IpAddr>>> = LazyLock::new(Quiet::default);

/// Checks that the list, which `flag` names, allows the client.
///
/// # Errors
/// If it does not.
pub fn require_listed(flag: &str, list: &ClientList, peer: Option<&Peer>) -> Result<(), Refusal> {
    // A port that asks for certificates has seen one of everybody who speaks TLS.
    let Some(certificate) = peer.and_then(|peer| peer.certificate.as_ref()) else {
        return Ok(());
    };
    if list.allows(certificate) {
        return Ok(());
    }
    let subject = &certificate.subject;
    if let Some(more) = QUIET.ask(peer.map(|peer| peer.address.ip())) {
        warn!(%subject, more, "request refused: the client is not on {flag}");
    }
    Err(Refusal::ClientNotListed(subject.to_string()))
}
