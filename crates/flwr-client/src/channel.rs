//! Channels to an address, with trust: they connect when they are needed, connect again when they
//! must, and say why they cannot. One carries gRPC over HTTP/2, the other one HTTP/1.1.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Endpoint;
use tower::service_fn;
use tracing::info;

use flwr_security::tls::{ClientTls, Reason, explain};

mod carrier;
mod error;
mod findings;
mod greeting;
mod http1;
mod last_word;
mod line;
mod plaintext;
mod proxied;
mod proxy;
mod reach;
mod received;
mod secured;
mod single;
mod walk;
mod watched;

pub use carrier::Carrier;
pub(crate) use carrier::Spoken;
pub use error::ConnectError;
pub use http1::HttpChannel;
pub use line::Channel;
pub use proxied::{Proxied, is_cut, is_to_be_repeated, proxied};
pub use proxy::{InvalidProxy, Proxies, Proxy, ProxyProblem, Route, Traffic, Tunnel, Warning};
pub use single::{Single, single};
pub use walk::{Proven, Walk, WalkError, walk, walk_or};

use last_word::LastWord;
use plaintext::plaintext;
use received::Received;
use secured::secured;

/// How often an open call's connection is tried. Under four minutes, after which common load
/// balancers cut; gRPC servers in C take more pings than one in five minutes for an attack, unless
/// a call is open.
const KEEPALIVE: Duration = Duration::from_secs(210);
/// How long the answer to such a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes that a server may send ahead: models come in chunks of 20 MiB.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Whom to trust.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Whoever answers: plaintext.
    Plaintext,
    /// Whoever proves the address's name.
    Tls(ClientTls),
}

/// A channel to `host:port`. It connects at the first call.
#[must_use]
pub fn channel(address: (&str, u16), trust: &Trust, route: &Route) -> Channel {
    channel_or(address, None, trust, route)
}

/// A channel to `host:port`, and to another port of the host while nothing listens at the first.
#[must_use]
pub fn channel_or(
    address: (&str, u16),
    other_port: Option<u16>,
    trust: &Trust,
    route: &Route,
) -> Channel {
    let target = Target::new(address, trust, route).or_port(other_port);
    let (endpoint, received) = (endpoint(address, trust), Received::default());
    let (counter, last_word) = (received.clone(), target.last_word.clone());
    let http = HttpChannel::new(target.speaking(Carrier::Http), received.clone());
    Channel::new(target.address(), received, http, last_word, move || {
        let (target, counter) = (target.clone(), counter.clone());
        let connector = service_fn(move |_| {
            let (target, counter) = (target.clone(), counter.clone());
            async move { Ok::<_, ConnectError>(TokioIo::new(counter.count(target.connect().await?))) }
        });
        endpoint.connect_with_connector_lazy(connector)
    })
}

/// Connects to `host:port` once, for whoever speaks HTTP/2 there by other means.
///
/// # Errors
/// If nobody is there, or is not whom to trust.
pub async fn dial(
    address: (&str, u16),
    trust: &Trust,
    route: &Route,
) -> Result<Box<dyn Io>, ConnectError> {
    Target::new(address, trust, route).connect().await
}

/// The address is for the `:authority` header only: the connector knows where to go.
fn endpoint((host, port): (&str, u16), trust: &Trust) -> Endpoint {
    let scheme = if matches!(trust, Trust::Plaintext) {
        "http"
    } else {
        "https"
    };
    let uri = format!("{scheme}://{}", joined(host, port));
    Endpoint::from_shared(uri)
        .unwrap_or_else(|_| Endpoint::from_static("http://superlink"))
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(false)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

/// Why a call could not be made, if that is because there was no connection.
#[must_use]
pub fn connect_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a ConnectError> {
    cause(error)
}

/// The first error of type `E` among the sources of an error.
#[must_use]
pub fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(error.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

#[derive(Clone)]
struct Target {
    host: String,
    port: u16,
    /// Tried while nothing listens at `port`.
    other_port: Option<u16>,
    /// The port of the last connection, where there are two. 0: none yet.
    reached: Arc<AtomicU16>,
    trust: Trust,
    route: Route,
    carrier: Carrier,
    last_word: LastWord,
}

/// A connection, whatever it goes over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Target {
    fn new((host, port): (&str, u16), trust: &Trust, route: &Route) -> Self {
        Self {
            host: host.to_owned(),
            port,
            other_port: None,
            reached: Arc::default(),
            trust: trust.clone(),
            route: route.clone(),
            carrier: Carrier::Grpc,
            last_word: LastWord::default(),
        }
    }

    fn or_port(mut self, other: Option<u16>) -> Self {
        self.other_port = other;
        self
    }

    /// The same program, spoken to by another carrier.
    fn speaking(&self, carrier: Carrier) -> Self {
        Self {
            carrier,
            last_word: LastWord::default(),
            ..self.clone()
        }
    }

    async fn connect(&self) -> Result<Box<dyn Io>, ConnectError> {
        self.secure(self.line().await?).await
    }

    /// A line to the other end, as the route has it, over which nothing was said yet.
    async fn line(&self) -> Result<Box<dyn Io>, ConnectError> {
        match &self.route {
            Route::Direct => Ok(Box::new(self.reach().await?)),
            Route::Through(proxy) => Ok(Box::new(proxy.tunnel(&self.host, self.port).await?)),
        }
    }

    /// A TCP connection to the first port, or to the other one.
    async fn reach(&self) -> Result<TcpStream, ConnectError> {
        let reached = match (reach::tcp(&self.host, self.port).await, self.other_port) {
            (Err(ConnectError::Refused { address }), Some(other)) => {
                let reached = reach::tcp(&self.host, other).await;
                reached.map_err(|error| match error {
                    ConnectError::Refused { .. } => ConnectError::Refused {
                        address: format!("{address} and port {other}"),
                    },
                    error => error,
                })
            }
            (reached, _) => reached,
        };
        if self.other_port.is_some()
            && let Ok(Ok(there)) = reached.as_ref().map(TcpStream::peer_addr)
            && self.reached.swap(there.port(), Ordering::Relaxed) != there.port()
        {
            info!("connected to {there}");
        }
        reached
    }

    /// Makes of a line what the trust asks for.
    async fn secure<T: Io + 'static>(&self, line: T) -> Result<Box<dyn Io>, ConnectError> {
        match &self.trust {
            Trust::Plaintext => reach::in_time(&self.host, self.port, plaintext(line, self)).await,
            Trust::Tls(tls) => {
                let stream = self.greet(tls, line).await?;
                Ok(Box::new(secured(stream, self)))
            }
        }
    }

    async fn greet<T: Io>(&self, tls: &ClientTls, line: T) -> Result<TlsStream<T>, ConnectError> {
        let greeting = async {
            let name = self.server_name(tls)?;
            let config = match self.carrier {
                Carrier::Grpc => tls.config(),
                Carrier::Http => tls.http_config(),
            };
            let stream = TlsConnector::from(config).connect(name, line).await;
            let stream = stream.map_err(|error| self.tls(explain(&error)))?;
            // Servers of HTTP/1.1 may do without ALPN. gRPC asks for ALPN.
            let is_named = stream.get_ref().1.alpn_protocol().is_some();
            if self.carrier == Carrier::Grpc && !is_named {
                return Err(self.tls(Reason::NothingInCommon));
            }
            Ok(stream)
        };
        reach::in_time(&self.host, self.port, greeting).await
    }

    /// Whom the certificate must be for.
    fn server_name(&self, tls: &ClientTls) -> Result<ServerName<'static>, ConnectError> {
        if let Some(name) = tls.server_name() {
            return Ok(name.clone());
        }
        ServerName::try_from(self.host.clone()).map_err(|_| ConnectError::Name {
            host: self.host.clone(),
        })
    }

    fn address(&self) -> String {
        joined(&self.host, self.port)
    }

    fn tls(&self, reason: Reason) -> ConnectError {
        ConnectError::Tls {
            address: self.address(),
            reason,
        }
    }
}

fn joined(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests;
