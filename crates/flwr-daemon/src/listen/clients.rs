//! Clients that have shown a certificate. A handshake checks the certificate once, and a connection
//! may live for weeks. The certificates of open connections are therefore checked again: when the
//! files of the port or the list of its clients were read again, when a certificate expires, and now
//! and then. A connection whose client would be refused now is ended, with the calls that are held on
//! it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::monotonic;
use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::tls::{Certificate, PortTls, Reason};
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{IssuedCertificates, Security};
use crate::clock::{Clock, SystemClock};

/// How often to look for a reason to check.
const PERIOD: Duration = Duration::from_secs(1);
/// A CA expires too, and no file changes by that.
const AT_THE_LATEST: Duration = Duration::from_secs(3600);

/// What a client has shown.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) certificate: Arc<Certificate>,
    /// The certificate, and those of its CAs that came with it.
    pub(super) chain: Arc<[CertificateDer<'static>]>,
    /// The first end among them.
    until: OffsetDateTime,
}

impl Shown {
    fn read(chain: &[CertificateDer<'_>], tls: Option<&PortTls>) -> Result<Self, Reason> {
        let all: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::read(der)).collect();
        let all = all?;
        let until = all.iter().map(|certificate| certificate.not_after).min();
        let mut own = all.into_iter().next().ok_or(Reason::Malformed)?;
        own.issued = tls.and_then(|tls| tls.issued(&chain[0]));
        Ok(Self {
            until: until.unwrap_or(own.not_after),
            certificate: Arc::new(own),
            chain: chain.iter().map(|der| der.clone().into_owned()).collect(),
        })
    }
}

/// The clients of a port.
pub(super) struct Clients {
    /// The service, e.g. "Fleet".
    name: &'static str,
    tls: Option<PortTls>,
    allowed: Option<Arc<FromFile<ClientList>>>,
    nodes: Option<Arc<dyn IssuedCertificates>>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connected>,
}

/// An open connection.
#[derive(Clone)]
struct Connected {
    shown: Shown,
    address: SocketAddr,
    cut: CancellationToken,
    /// By what the certificate was last checked here. `None`: by nothing yet.
    checked: Option<Checked>,
}

/// What a certificate is checked by.
#[derive(Clone)]
struct Checked {
    files: Arc<ServerConfig>,
    list: Option<Arc<ClientList>>,
    at: Instant,
}

/// Forgets a connection when it is dropped.
pub(super) struct Watched {
    clients: Arc<Clients>,
    number: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.clients.open.lock().connections.remove(&self.number);
    }
}

impl Clients {
    pub(super) fn new(
        name: &'static str,
        security: &Security,
        allowed: Option<Arc<FromFile<ClientList>>>,
        nodes: Option<Arc<dyn IssuedCertificates>>,
    ) -> Self {
        let tls = match security {
            Security::Plaintext => None,
            Security::Tls(tls) | Security::TlsOrLocal(tls) => Some(tls.clone()),
        };
        Self {
            name,
            tls,
            allowed,
            nodes,
            open: Mutex::default(),
        }
    }

    /// Reads what a client has shown.
    pub(super) fn read(&self, chain: &[CertificateDer<'_>]) -> Result<Shown, Reason> {
        Shown::read(chain, self.tls.as_ref())
    }

    /// Why the node to which the certificate was issued may not use it any more.
    fn objection(&self, certificate: &Certificate) -> Option<String> {
        let (issued, nodes) = (certificate.issued.as_ref()?, self.nodes.as_ref()?);
        nodes.objection(issued)
    }

    /// Has the certificate of a connection checked again while the connection lives. `cut` ends the
    /// connection.
    pub(super) fn add(
        self: &Arc<Self>,
        shown: Shown,
        address: SocketAddr,
        cut: CancellationToken,
    ) -> Watched {
        let mut open = self.open.lock();
        let number = open.next;
        open.next += 1;
        // The files may have been read again since the handshake: the first look checks all.
        let connected = Connected {
            shown,
            address,
            cut,
            checked: None,
        };
        open.connections.insert(number, connected);
        Watched {
            clients: Arc::clone(self),
            number,
        }
    }

    /// Ends connections whose client would be refused now. Never returns.
    pub(super) async fn watch(self: &Arc<Self>) {
        let Some(tls) = &self.tls else {
            return std::future::pending().await;
        };
        loop {
            sleep(PERIOD).await;
            let (clients, tls) = (Arc::clone(self), tls.clone());
            let now = SystemClock.date_time();
            let due = self.due(&tls, now);
            if due.is_empty() {
                continue;
            }
            // Signatures are computed: off the async workers.
            let checked = spawn_blocking(move || clients.check(&tls, due, now)).await;
            if let Err(error) = checked {
                error!(%error, "{}: open connections were not checked", self.name);
            }
        }
    }

    /// The connections to check, and by what.
    fn due(&self, tls: &PortTls, now: OffsetDateTime) -> Vec<(u64, Connected)> {
        let by = Checked {
            files: tls.config(),
            list: self.allowed.as_ref().map(|list| list.now()),
            at: monotonic::now(),
        };
        let mut open = self.open.lock();
        let connections = open.connections.iter_mut();
        let due = connections.filter(|(_, connected)| {
            let last = connected.checked.as_ref();
            connected.shown.until < now
                || !last.is_some_and(|last| last.covers(&by))
                || self.objection(&connected.shown.certificate).is_some()
        });
        due.map(|(number, connected)| {
            connected.checked = Some(by.clone());
            (*number, connected.clone())
        })
        .collect()
    }

    fn check(&self, tls: &PortTls, due: Vec<(u64, Connected)>, now: OffsetDateTime) {
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        let moment = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        for (number, connected) in due {
            let Connected {
                shown,
                address,
                cut,
                checked,
            } = connected;
            let list = checked.and_then(|checked| checked.list);
            // The list of clients does not name nodes that have joined: their registration counts.
            let list = list.filter(|_| shown.certificate.issued.is_none());
            let why = match tls.check(&shown.chain, moment) {
                Err(reason) => reason.to_string(),
                Ok(()) if list.is_some_and(|list| !list.allows(&shown.certificate)) => {
                    "it is not on the list of clients any more".to_owned()
                }
                Ok(()) => match self.objection(&shown.certificate) {
                    Some(why) => why,
                    None => continue,
                },
            };
            let subject = &shown.certificate.subject;
            warn!(peer = %address, %subject, "{}: the connection is ended, since its client's certificate is not good any more: {why}", self.name);
            self.open.lock().connections.remove(&number);
            cut.cancel();
        }
    }
}

impl Checked {
    /// Whether nothing has changed since.
    fn covers(&self, now: &Self) -> bool {
        let same_list = match (&self.list, &now.list) {
            (Some(last), Some(list)) => Arc::ptr_eq(last, list),
            (None, None) => true,
            _ => false,
        };
        let is_fresh = now.at.duration_since(self.at) < AT_THE_LATEST;
        same_list && Arc::ptr_eq(&self.files, &now.files) && is_fresh
    }
}

#[cfg(test)]
mod tests;
