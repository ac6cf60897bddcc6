//! A gRPC channel to an address, with trust: it connects when it is needed, connects again when
//! it must, and says why it cannot.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;
use tonic::transport::Endpoint;
use tower::service_fn;

use crate::tls::{ClientTls, Reason, explain};

mod findings;
mod line;
mod plaintext;
mod proxied;
mod secured;
mod walk;
mod watched;

pub use line::Line;
use line::Received;
use plaintext::plaintext;
pub use proxied::{Proxied, is_cut, is_to_be_repeated, proxied};
use secured::secured;
pub use walk::{Proven, Walk, WalkError, walk};

/// How long the name, a connection and its handshake may take, each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an open call's connection is tried. Under four minutes, after which common load
/// balancers cut; gRPC servers in C take more pings than one in five minutes for an attack, unless
/// a call is open.
const KEEPALIVE: Duration = Duration::from_secs(210);
/// How long the answer to such a ping may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long bytes may stay without an acknowledgement.
const SILENCE: Duration = Duration::from_secs(30);
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

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// The name has no address.
    #[error("{host}: the name cannot be resolved ({problem}): check the address")]
    Dns {
        /// The name.
        host: String,
        /// What the system says.
        problem: String,
    },
    /// Nobody listens there.
    #[error(
        "{address}: connection refused: nothing listens there; check the address, and that the SuperLink runs"
    )]
    Refused {
        /// Host and port.
        address: String,
    },
    /// No answer.
    #[error("{address}: no answer in {seconds} s: check the address and the firewalls between")]
    Timeout {
        /// Host and port.
        address: String,
        /// How long it was tried.
        seconds: u64,
    },
    /// The network says no.
    #[error("{address}: {problem}")]
    Network {
        /// Host and port.
        address: String,
        /// What the system says.
        problem: String,
    },
    /// No name that a certificate could be for.
    #[error("{host}: not a host name or IP address")]
    Name {
        /// The name.
        host: String,
    },
    /// The server speaks TLS, and this side does not. Known only after the connection is made:
    /// its text is among the causes of a call's status.
    #[error("{address}: the server speaks TLS: drop --insecure and give --root-certificates")]
    TlsServer {
        /// Host and port.
        address: String,
    },
    /// The server hung up before it sent anything to a client without TLS. Known as late.
    #[error("{address}: the connection was closed without a word: does it speak TLS?")]
    Wordless {
        /// Host and port.
        address: String,
    },
    /// The server answers in HTTP/1, where gRPC is HTTP/2. Known as late.
    #[error(
        "{address}: a proxy or web server answered in HTTP/1 ({answer}): it does not pass gRPC on, or the address is not that of a SuperLink"
    )]
    Http1 {
        /// Host and port.
        address: String,
        /// The first line of the answer.
        answer: String,
    },
    /// The handshake failed.
    #[error("{address}: no TLS connection: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// Why.
        reason: Reason,
    },
}

/// A channel to `host:port`. It connects at the first call.
#[must_use]
pub fn channel(address: (&str, u16), trust: &Trust) -> Line {
    let target = Target {
        host: address.0.to_owned(),
        port: address.1,
        trust: trust.clone(),
    };
    let (endpoint, received) = (endpoint(address, trust), Received::default());
    let counter = received.clone();
    Line::new(target.address(), received, move || {
        let (target, counter) = (target.clone(), counter.clone());
        let connector = service_fn(move |_| {
            let (target, counter) = (target.clone(), counter.clone());
            async move {
                target
                    .connect()
                    .await
                    .map(|io| TokioIo::new(counter.count(io)))
            }
        });
        endpoint.connect_with_connector_lazy(connector)
    })
}

/// Connects to `host:port` once, for whoever speaks HTTP/2 there by other means.
///
/// # Errors
/// If nobody is there, or is not whom to trust.
pub async fn dial(address: (&str, u16), trust: &Trust) -> Result<Box<dyn Io>, ConnectError> {
    let target = Target {
        host: address.0.to_owned(),
        port: address.1,
        trust: trust.clone(),
    };
    target.connect().await
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
pub fn connect_error(status: &Status) -> Option<&ConnectError> {
    std::iter::successors(status.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref())
}

#[derive(Clone)]
struct Target {
    host: String,
    port: u16,
    trust: Trust,
}

/// A connection, whatever it goes over.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Target {
    async fn connect(&self) -> Result<Box<dyn Io>, ConnectError> {
        let tcp = self.tcp().await?;
        match &self.trust {
            Trust::Plaintext => Ok(Box::new(plaintext(tcp, self.address()))),
            Trust::Tls(tls) => self.in_time(self.handshake(tls, tcp)).await,
        }
    }

    async fn tcp(&self) -> Result<TcpStream, ConnectError> {
        let addresses = self.in_time(self.resolve()).await?;
        self.first_of(&addresses).await
    }

    /// The first of the name's addresses that answers. Each has its own time, so that one behind a
    /// black hole does not hide the others.
    async fn first_of(&self, addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
        let mut last = self.network(&io::Error::from(io::ErrorKind::AddrNotAvailable));
        for &address in addresses {
            match self.in_time(self.tcp_to(address)).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, ConnectError> {
        let addresses = lookup_host((&self.host[..], self.port)).await;
        Ok(addresses
            .map_err(|error| self.unresolved(&error))?
            .collect())
    }

    async fn tcp_to(&self, address: SocketAddr) -> Result<TcpStream, ConnectError> {
        let failed = |error| self.network(&error);
        let tcp = TcpStream::connect(address).await.map_err(failed)?;
        // Without it a small call waits for the acknowledgement of the last.
        tcp.set_nodelay(true).map_err(failed)?;
        give_up_in_silence(&tcp).map_err(failed)?;
        Ok(tcp)
    }

    async fn handshake(
        &self,
        tls: &ClientTls,
        tcp: TcpStream,
    ) -> Result<Box<dyn Io>, ConnectError> {
        let stream = self.greet(tls, tcp).await?;
        Ok(Box::new(secured(stream, self.address())))
    }

    async fn greet(
        &self,
        tls: &ClientTls,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let name = self.server_name(tls)?;
        let stream = TlsConnector::from(tls.config()).connect(name, tcp).await;
        let stream = stream.map_err(|error| self.tls(explain(&error)))?;
        if stream.get_ref().1.alpn_protocol().is_none() {
            return Err(self.tls(Reason::NothingInCommon));
        }
        Ok(stream)
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

    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let seconds = CONNECT_TIMEOUT.as_secs();
        let late = |_| ConnectError::Timeout {
            address: self.address(),
            seconds,
        };
        timeout(CONNECT_TIMEOUT, step).await.map_err(late)?
    }

    fn address(&self) -> String {
        joined(&self.host, self.port)
    }

    fn unresolved(&self, error: &io::Error) -> ConnectError {
        ConnectError::Dns {
            host: self.host.clone(),
            problem: error.to_string(),
        }
    }

    fn network(&self, error: &io::Error) -> ConnectError {
        let address = self.address();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
            _ => ConnectError::Network {
                address,
                problem: error.to_string(),
            },
        }
    }

    fn tls(&self, reason: Reason) -> ConnectError {
        ConnectError::Tls {
            address: self.address(),
            reason,
        }
    }
}

/// Ends a connection on which nothing is acknowledged for [`SILENCE`]: the other machine is gone,
/// or a NAT or VPN on the way has lost the connection, and no packet says so. Without it the
/// kernel repeats its packets for about 15 minutes.
#[cfg(target_os = "linux")]
fn give_up_in_silence(tcp: &TcpStream) -> io::Result<()> {
    let milliseconds = u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(
        tcp,
        milliseconds,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn give_up_in_silence(_: &TcpStream) -> io::Result<()> {
    Ok(())
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
