//! The way through a proxy: HTTP CONNECT (RFC 9110, 9.3.6).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Proxy;
use crate::channel::reach;
use crate::channel::{ConnectError, joined};

/// How long the proxy may take to connect and say so: gRPC's own limit for a handshake. Proxies
/// answer only when they have reached the server, or have given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection through a proxy.
pub type Tunnel = TokioIo<Upgraded>;

/// Why a proxy does not lead to a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyProblem {
    /// Its name has no address.
    #[error("its name cannot be resolved ({0}): check its URL")]
    Dns(String),
    /// Nobody listens there.
    #[error("connection refused: nothing listens there; check its URL")]
    Refused,
    /// No answer.
    #[error("no answer in {0} s: check its URL, and whether it can reach the server")]
    Timeout(u64),
    /// The network says no.
    #[error("{0}")]
    Network(String),
    /// It wants to know who asks.
    #[error(
        "it asks for a login (407): put user and password into its URL, http://USER:PASSWORD@HOST:PORT"
    )]
    LoginNeeded,
    /// It does not know whoever asks.
    #[error(
        "it refuses the user and password of its URL (407): check them; a login is sent as Basic"
    )]
    LoginRefused,
    /// It does not allow this server.
    #[error("it does not allow connections to {server} ({status}): ask who runs it to allow them")]
    Forbidden {
        /// Host and port of the server.
        server: String,
        /// Its answer.
        status: StatusCode,
    },
    /// It cannot reach the server.
    #[error("it cannot reach {server} ({status}): check the address, and that the server runs")]
    Unreachable {
        /// Host and port of the server.
        server: String,
        /// Its answer.
        status: StatusCode,
    },
    /// It says no for another reason.
    #[error(
        "it does not connect to {server} ({status}): it may not be a proxy, or allow no CONNECT to this port"
    )]
    Status {
        /// Host and port of the server.
        server: String,
        /// Its answer.
        status: StatusCode,
    },
    /// It hangs up.
    #[error("it closed the connection without an answer to CONNECT: is it a proxy?")]
    Closed,
    /// It answers in another language.
    #[error(
        "it does not answer CONNECT as an HTTP proxy does: is it a proxy, and is its URL http://?"
    )]
    NotHttp,
}

impl Proxy {
    /// Connects to a server through this proxy. The server's name is left to the proxy.
    ///
    /// # Errors
    /// If the proxy is not there, or does not connect.
    pub async fn tunnel(&self, host: &str, port: u16) -> Result<Tunnel, ConnectError> {
        let failed = |problem| ConnectError::Proxy {
            proxy: self.to_string(),
            problem,
        };
        let own = self.address();
        let tcp = reach::tcp(&own.host, own.port).await;
        let tcp = tcp.map_err(|error| failed(unreached(error)))?;
        let connected = timeout(PATIENCE, self.connect(tcp, &joined(host, port))).await;
        let late = |_| failed(ProxyProblem::Timeout(PATIENCE.as_secs()));
        connected.map_err(late)?.map_err(failed)
    }

    async fn connect(&self, tcp: TcpStream, server: &str) -> Result<Tunnel, ProxyProblem> {
        let handshake = http1::handshake(TokioIo::new(tcp)).await;
        let (mut sender, connection) = handshake.map_err(|error| broken(&error))?;
        let connection = connection.with_upgrades();
        let request = self.request(server)?;
        let answer = async {
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| broken(&error))?;
            if !answer.status().is_success() {
                return Err(self.refusal(server, answer.status()));
            }
            let upgraded = hyper::upgrade::on(answer).await;
            upgraded.map_err(|error| broken(&error))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection was handed over, or has ended: the answer tells which.
            _ = connection => answer.await,
        }
        .map(TokioIo::new)
    }

    fn request(&self, server: &str) -> Result<Request<Empty<Bytes>>, ProxyProblem> {
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(server)
            .header(header::HOST, server);
        if let Some(login) = self.login() {
            request = request.header(header::PROXY_AUTHORIZATION, login.clone());
        }
        let request = request.body(Empty::new());
        request.map_err(|error| ProxyProblem::Network(error.to_string()))
    }

    fn refusal(&self, server: &str, status: StatusCode) -> ProxyProblem {
        let server = server.to_owned();
        match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.login().is_some() => {
                ProxyProblem::LoginRefused
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => ProxyProblem::LoginNeeded,
            StatusCode::FORBIDDEN => ProxyProblem::Forbidden { server, status },
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => ProxyProblem::Unreachable { server, status },
            _ => ProxyProblem::Status { server, status },
        }
    }
}

fn unreached(error: ConnectError) -> ProxyProblem {
    match error {
        ConnectError::Dns { problem, .. } => ProxyProblem::Dns(problem),
        ConnectError::Refused { .. } => ProxyProblem::Refused,
        ConnectError::Timeout { seconds, .. } => ProxyProblem::Timeout(seconds),
        ConnectError::Network { problem, .. } => ProxyProblem::Network(problem),
        other => ProxyProblem::Network(other.to_string()),
    }
}

fn broken(error: &hyper::Error) -> ProxyProblem {
    if error.is_parse() {
        ProxyProblem::NotHttp
    } else {
        ProxyProblem::Closed
    }
}

#[cfg(test)]
mod tests;
