//! Which of the clients with a good certificate may speak. The handshake has shown that the
//! certificate is good. Each request looks at the list again, so that a client that is taken off the
//! list is cut off at once.

use std::net::IpAddr;
use std::sync::LazyLock;

use flwr_core::id::NodeId;
use flwr_core::quiet::Quiet;
use flwr_core::refusal::Refusal;
use flwr_security::client_list::ClientList;
use flwr_security::peer::Peer;
use tracing::warn;

use crate::link::Link;

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
    // The list has no line for nodes that have joined: their registration decides.
    if certificate.issued.is_some() || list.allows(certificate) {
        return Ok(());
    }
    let subject = &certificate.subject;
    if let Some(more) = QUIET.ask(peer.map(|peer| peer.address.ip())) {
        warn!(%subject, more, "request refused: the client is not on {flag}");
    }
    Err(Refusal::ClientNotListed(subject.to_string()))
}

/// Whether the CA for nodes has issued the certificate of this connection to this node.
#[must_use]
pub fn is_issued_to(peer: Option<&Peer>, node: NodeId) -> bool {
    let certificate = peer.and_then(|peer| peer.certificate.as_ref());
    let issued = certificate.and_then(|certificate| certificate.issued.as_ref());
    issued.is_some_and(|issued| issued.node == node)
}

/// Checks a certificate that the CA for nodes has issued: it is good as long as its node is registered
/// with the same key, and for the node that signs the request. Certificates of other CAs pass.
///
/// # Errors
/// If the certificate was withdrawn, or is another node's.
pub fn require_own(
    link: &Link,
    peer: Option<&Peer>,
    caller: Option<NodeId>,
) -> Result<(), Refusal> {
    let Some(certificate) = peer.and_then(|peer| peer.certificate.as_ref()) else {
        return Ok(());
    };
    let Some(issued) = &certificate.issued else {
        return Ok(());
    };
    if caller == Some(issued.node) && link.is_in_force(issued) {
        return Ok(());
    }
    let subject = &certificate.subject;
    if let Some(more) = QUIET.ask(peer.map(|peer| peer.address.ip())) {
        warn!(%subject, more, "request refused: the certificate of the SuperNode was withdrawn, or is another SuperNode's");
    }
    Err(Refusal::CertificateWithdrawn(subject.clone()))
}
