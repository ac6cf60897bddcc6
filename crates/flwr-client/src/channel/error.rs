//! Why there is no connection.

use thiserror::Error;

use super::proxy::ProxyProblem;
use flwr_security::tls::Reason;

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
    /// The server answers in HTTP/2, where HTTP/1.1 is spoken. Known as late.
    #[error("{address}: the server speaks HTTP/2, as gRPC does, and not HTTP/1.1")]
    Http2 {
        /// Host and port.
        address: String,
    },
    /// The server hung up before it sent anything to a client without TLS. Known as late.
    #[error("{address}: the connection was closed without a word: does it speak TLS?")]
    Wordless {
        /// Host and port.
        address: String,
    },
    /// The proxy does not lead there.
    #[error("{proxy}: {problem}")]
    Proxy {
        /// The proxy, without its login.
        proxy: String,
        /// What it does instead.
        problem: ProxyProblem,
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

impl ConnectError {
    /// Whether the server said that it speaks HTTP/1.1 and no HTTP/2.
    #[must_use]
    pub fn is_of_http1(&self) -> bool {
        matches!(
            self,
            Self::Http1 { .. }
                | Self::Tls {
                    reason: Reason::NothingInCommon,
                    ..
                }
        )
    }
}
