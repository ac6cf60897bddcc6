//! Sockets: an accept loop with TLS, limits and drain, and gRPC and HTTP/1.1 served on top of it.
//!
//! The steps of a connection: a place under [`Limits::connections`]; the client's address, if a
//! balancer tells it; a place among [`Limits::strangers`], until a caller is admitted; the first byte, which tells
//! whether the client speaks TLS; the handshake, if the port speaks TLS; the first bytes, which tell HTTP/2 from HTTP/1. All
//! steps have one deadline, [`Limits::handshake_timeout`]. A client that speaks the wrong protocol
//! gets an error in its own protocol, and the log says the same.
//!
//! A connection ends when the certificate of its client is not good any more.

mod accept;
mod balancers;
mod clients;
mod connection;
mod greet;
mod http1;
mod limits;
mod meter;
mod sockets;
mod strangers;

pub use balancers::Balancers;
pub use connection::Connection;
pub use limits::Limits;
pub use meter::Meter;
pub use sockets::Bound;
pub(crate) use sockets::{joined, open};
pub use strangers::Strangers;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flwr_security::client_list::ClientList;
use flwr_security::from_file::FromFile;
use flwr_security::tls::{Issued, PortTls};
use http::header::{DATE, HeaderValue};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::layer::util::{Identity, Stack};
use tower::util::MapResponseLayer;
use tracing::warn;

use crate::clock::SystemClock;
use crate::stop::Stopper;
use http1::Http1Service;
use sockets::{NotBound, Sockets};

/// Concurrent calls on one connection (flwr 1.22: the Python server's setting).
const CONCURRENT_STREAMS: u32 = 1000;
/// The interval of pings on an idle connection (flwr 1.22: the Python server's setting). Common
/// cloud load balancers drop connections that are idle for four minutes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(210);
/// How long a pinged client may take to answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of headers of one request: signature headers take less than 1 KiB.
const HEADER_LIST_BYTES: u32 = 16 * 1024;
/// Bytes a client may send ahead on one call; objects come in chunks of up to 20 MiB.
const STREAM_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// Bytes a client may send ahead on all calls of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// Larger frames than HTTP/2's 16 KiB spare work on models of many megabytes.
const FRAME_BYTES: u32 = 64 * 1024;

/// What a port speaks.
#[derive(Clone, Debug)]
pub enum Security {
    /// HTTP/2 in the clear.
    Plaintext,
    /// TLS. Each connection gets the newest certificate.
    Tls(PortTls),
    /// TLS for all clients, and plaintext for processes of this machine.
    TlsOrLocal(PortTls),
}

/// The service behind a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The service, e.g. "Fleet".
    pub name: &'static str,
    /// The flag that sets its address, e.g. "--fleet-api-address".
    pub flag: &'static str,
}

/// A bound port, ready to serve.
#[derive(Debug)]
pub struct Listener {
    sockets: Sockets,
    security: Security,
    name: &'static str,
    limits: Limits,
    allowed: Option<Arc<FromFile<ClientList>>>,
    nodes: Option<Arc<dyn IssuedCertificates>>,
    http1: Option<Http1Service>,
    serves_grpc: bool,
}

/// Knows the nodes to which client certificates were issued.
pub trait IssuedCertificates: fmt::Debug + Send + Sync {
    /// Why the certificate is not good any more. `None`: it is good.
    fn objection(&self, issued: &Issued) -> Option<String>;
}

/// Why a port could not be opened or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error(
        "Port in server address {address} is already in use{at}. Stop the program that listens there, or set another address with {flag}"
    )]
    InUse {
        /// The address as it was given.
        address: String,
        /// The address among those of the name, if the name has several.
        at: String,
        /// The flag that sets the address.
        flag: &'static str,
    },
    /// The address names no interface of this machine, or the port is not allowed.
    #[error("{name}: cannot listen on {address} ({flag})")]
    Bind {
        /// The service, e.g. "Fleet".
        name: &'static str,
        /// The address as it was given.
        address: String,
        /// The flag that sets the address.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended by itself.
    #[error("{name}: the server on {address} ended")]
    Serve {
        /// The service, e.g. "Fleet".
        name: &'static str,
        /// The bound addresses.
        address: Bound,
        /// What went wrong.
        source: tonic::transport::Error,
    },
}

impl Listener {
    /// Opens `address` ("host:port"; port 0 takes a free one) for a service, on every address of
    /// its host name.
    ///
    /// # Errors
    /// The port is in use, or no address can be bound.
    pub async fn bind(
        address: &str,
        security: Security,
        service: Service,
        limits: Limits,
    ) -> Result<Self, Error> {
        let failed = |source| bind_error(address, service, source);
        let wanted = lookup_host(address)
            .await
            .map_err(failed)?
            .collect::<Vec<_>>();
        let opened = open(&wanted).map_err(|error| not_bound(address, service, error))?;
        let sockets = Sockets::new(opened.listeners).map_err(failed)?;
        if !opened.missing.is_empty() {
            warn!(
                "{}: {address} stands for {} too, which this machine does not have: listening on {} only",
                service.name,
                joined(&opened.missing),
                sockets.bound(),
            );
        }
        Ok(Self {
            sockets,
            security,
            name: service.name,
            limits,
            allowed: None,
            nodes: None,
            http1: None,
            serves_grpc: true,
        })
    }

    /// Ends connections whose client is taken off this list. Whether a request is let in is not
    /// decided here.
    #[must_use]
    pub fn only_for(mut self, allowed: Option<Arc<FromFile<ClientList>>>) -> Self {
        self.allowed = allowed;
        self
    }

    /// Ends connections whose certificate was issued to a node, and is not good any more. Whether a
    /// request is let in is not decided here.
    #[must_use]
    pub fn watched_by(mut self, nodes: Arc<dyn IssuedCertificates>) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Serves HTTP/1.1 too, by this service. Requests have the [`Peer`](flwr_security::peer::Peer) among
    /// their extensions.
    #[must_use]
    pub fn with_http1<S>(mut self, service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = Answer, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.http1 = Some(Http1Service::new(service));
        self
    }

    /// Serves HTTP/1.1 by this service, and no gRPC. Clients of gRPC are answered in HTTP/1.1, as a
    /// SuperLink of flwr 1.40 or later answers them, so that they know what is spoken here.
    #[must_use]
    pub fn with_http1_alone<S>(self, service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Response = Answer, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self {
            serves_grpc: false,
            ..self.with_http1(service)
        }
    }

    /// The bound addresses, with the port the system chose.
    #[must_use]
    pub const fn bound(&self) -> &Bound {
        self.sockets.bound()
    }

    /// The first of the bound addresses.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.bound().first()
    }

    /// The service behind this port, e.g. "Fleet".
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Serves `routes` until `stopper` stops. Then no connection is accepted, calls in flight have
    /// [`Limits::drain_grace`], and the remaining connections are cut.
    ///
    /// # Errors
    /// The server ended by itself.
    pub async fn serve(mut self, routes: Routes, stopper: Stopper) -> Result<(), Error> {
        let (name, address) = (self.name, self.bound().clone());
        let grace = self.limits.drain_grace;
        let cut = CancellationToken::new();
        let _cut_at_the_latest_here = cut.clone().drop_guard();
        let (http2, incoming) = mpsc::channel::<io::Result<Connection>>(64);
        let (http1, serving_http1) = match self.http1.take() {
            None => (None, None),
            Some(service) => {
                let (http1, incoming) = mpsc::channel(64);
                let serving = http1::run(incoming, service, stopper.clone());
                (Some(http1), Some(serving))
            }
        };
        let ready = accept::Ready { http2, http1 };
        let accepting = accept::run(self, ready, stopper.clone(), cut.clone());
        let serving = server()
            .add_routes(routes)
            .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopper.cancelled_owned());
        let serving_http1 = async {
            if let Some(serving) = serving_http1 {
                serving.await;
            }
            Ok(())
        };
        let serving = async { tokio::try_join!(serving, serving_http1).map(|_| ()) };
        let serving = async {
            tokio::pin!(serving);
            tokio::select! {
                ended = &mut serving => return ended,
                () = stopper.cancelled() => {}
            }
            if let Ok(ended) = timeout(grace, &mut serving).await {
                return ended;
            }
            cut.cancel();
            serving.await
        };
        let ((), served) = tokio::join!(accepting, serving);
        served.map_err(|source| Error::Serve {
            name,
            address,
            source,
        })
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "plaintext",
            Self::Tls(_) => "TLS",
            Self::TlsOrLocal(_) => "TLS; plaintext for this machine",
        })
    }
}

fn bind_error(address: &str, service: Service, source: io::Error) -> Error {
    Error::Bind {
        name: service.name,
        address: address.to_owned(),
        flag: service.flag,
        source,
    }
}

fn not_bound(address: &str, service: Service, error: NotBound) -> Error {
    let at = error.address.to_string();
    let at = match at == address {
        true => String::new(),
        false => format!(" ({at})"),
    };
    match error.source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse {
            address: address.to_owned(),
            at,
            flag: service.flag,
        },
        _ => bind_error(&format!("{address}{at}"), service, error.source),
    }
}

type Answer = http::Response<Body>;
type Dating = MapResponseLayer<fn(Answer) -> Answer>;

/// Adds the date as hyper would, but excludes it from HTTP/2's header index, which would fill with
/// dates at both ends of each connection.
fn dated(mut answer: Answer) -> Answer {
    let date = httpdate::fmt_http_date(SystemClock.system_time());
    if let Ok(mut date) = HeaderValue::try_from(date) {
        date.set_sensitive(true);
        answer.headers_mut().insert(DATE, date);
    }
    answer
}

fn server() -> Server<Stack<Dating, Identity>> {
    Server::builder()
        .layer(Dating::new(dated))
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
}

#[cfg(test)]
mod tests;
