//! Decides which certificates may call on the ports for people. If one CA signs for nodes and
//! people, a node's certificate passes the TLS handshake there. A thief of that certificate could
//! start runs on all SuperNodes, so these ports refuse it.

use std::sync::Arc;
use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::refusal::Refusal;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::peer::Peer;
use flwr_security::tls::ServerTls;
use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

use super::require_listed;
use crate::link::Link;

/// The log gets one warning in this time of certificates that may be anybody's.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Who may speak on the ports for people.
#[derive(Debug, Default)]
pub struct People {
    /// The list of people. `None`: the list of all clients counts for people too, where one CA
    /// signs for both.
    list: Option<Arc<FromFile<ClientList>>>,
    /// Tells whether one CA signs for both. `None`: nobody is asked for a certificate.
    tls: Option<ServerTls>,
    told: Mutex<Option<Instant>>,
}

impl People {
    /// Those who are on this list, if there is one, and have a certificate that passes this TLS.
    #[must_use]
    pub fn new(list: Option<Arc<FromFile<ClientList>>>, tls: Option<ServerTls>) -> Self {
        Self {
            list,
            tls,
            told: Mutex::default(),
        }
    }

    /// Checks that the client may be a person. `clients` is the list of all clients.
    ///
    /// # Errors
    /// If the client is on no list that counts, or has a SuperNode's certificate.
    pub fn require(
        &self,
        link: &Link,
        clients: Option<&FromFile<ClientList>>,
        peer: Option<&Peer>,
    ) -> Result<(), Refusal> {
        let Some(certificate) = peer.and_then(|peer| peer.certificate.as_ref()) else {
            return Ok(());
        };
        let subject = &certificate.subject;
        let of_node = |why: &str| {
            warn!(%subject, "request on a port for people refused: {why}");
            Err(Refusal::CertificateOfNode(subject.clone()))
        };
        if certificate.is_node {
            return of_node("the certificate is marked as a SuperNode's");
        }
        if let Some(list) = &self.list {
            return require_listed("--ssl-control-client-allow-list", &list.now(), peer);
        }
        let shares_ca = self.tls.as_ref().is_none_or(ServerTls::shares_client_ca);
        if !shares_ca {
            return Ok(());
        }
        if let Some(clients) = clients {
            require_listed("--ssl-client-allow-list", &clients.now(), peer)?;
        }
        if link.is_of_node(certificate) {
            return of_node("a SuperNode was seen on Fleet with a certificate of this subject");
        }
        if self.is_news() {
            warn!(%subject, "a client is let in on a port for people whose certificate may be a SuperNode's, since one CA signs for both: sign those of SuperNodes with `flwr cert sign --use node`, or name a CA of people with --ssl-control-client-ca-certfile");
        }
        Ok(())
    }

    fn is_news(&self) -> bool {
        let mut told = self.told.lock();
        let is_news = told.is_none_or(|told| told.elapsed() >= DAY);
        if is_news {
            *told = Some(monotonic::now());
        }
        is_news
    }
}
