//! Detects what a client speaks. The first byte of a TLS client is 0x16 (RFC 8446, 5.1), an HTTP/2
//! client starts with 24 known bytes (RFC 9113, 3.4), an HTTP/1 client with a method in letters.
//!
//! A client that speaks the wrong protocol is answered in its own protocol, so that its log has the
//! reason too: a TLS client gets HTTP/1 text (TLS stacks call that "wrong version number" or "not
//! TLS"), a plaintext HTTP/2 client GOAWAY with a debug text, an HTTP/1 client an answer with text.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use flwr_security::tls::{PortTls, Reason};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Security;
use super::connection::{Transport, is_local};
use super::strangers::TooMany;

mod answers;
mod describe;

pub(super) use describe::describe;

use answers::{USE_HTTP1, USE_HTTP2, USE_PLAINTEXT, USE_TLS, goaway, http1_answer};

/// The connection preface of HTTP/2.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How the PROXY protocol begins: version 1 in letters, version 2 in bytes (HAProxy, "The PROXY
/// protocol", 2.1 and 2.2).
const PROXY_PROTOCOL: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];
/// The record type of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;
/// The time limit for a refused client to read the reason.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a client speaks, with the bytes by which that was found out. They are read again.
pub(super) enum Spoken {
    /// HTTP/2: its preface.
    Http2(Bytes),
    /// HTTP/1: the first bytes of a request.
    Http1(Bytes),
}

/// What a port serves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serves {
    /// HTTP/1.
    pub(super) http1: bool,
    /// gRPC over HTTP/2.
    pub(super) grpc: bool,
}

/// Finds out what a client speaks, and does the TLS handshake.
pub(super) struct Greeter {
    security: Security,
    serves: Serves,
    /// Handshakes computed at the same time. Waiting for a client's first byte needs no place.
    places: Semaphore,
}

/// Why a connection is not served.
#[derive(Debug)]
pub(super) enum Refused {
    /// The client sent nothing: port scans and health checks of load balancers.
    Closed,
    /// The deadline passed first.
    Silent,
    /// A plaintext client on a TLS port.
    Plaintext,
    /// A TLS client on a plaintext port.
    Tls,
    /// HTTP/1, where gRPC alone is served.
    Http1,
    /// HTTP/2, where HTTP/1 alone is served.
    Http2,
    /// A balancer that announces its clients by the PROXY protocol.
    ProxyProtocol,
    /// A balancer of `--proxy-protocol-from` that tells no client.
    NoProxyProtocol(io::Error),
    /// Too many connections without an admitted caller.
    Strangers(TooMany),
    /// Neither TLS nor HTTP.
    Garbage,
    /// The TLS handshake failed.
    Handshake(io::Error),
    /// The client's certificate cannot be read.
    Certificate(Reason),
}

impl Greeter {
    pub(super) fn new(security: Security, serves: Serves, handshakes: usize) -> Self {
        Self {
            security,
            serves,
            places: Semaphore::new(handshakes),
        }
    }

    /// Brings the connection up to its first request.
    pub(super) async fn greet(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<(Transport, Spoken), Refused> {
        let mut first = [0];
        if stream.peek(&mut first).await.unwrap_or(0) == 0 {
            return Err(Refused::Closed);
        }
        match (&self.security, first[0] == TLS_HANDSHAKE) {
            (Security::Tls(tls) | Security::TlsOrLocal(tls), true) => {
                self.greet_tls(tls, stream).await
            }
            (Security::Plaintext, true) => Err(refuse_tls(&mut stream).await),
            (Security::Plaintext, false) => self.greet_plaintext(stream).await,
            (Security::TlsOrLocal(_), false) if is_local(peer) => {
                self.greet_plaintext(stream).await
            }
            (Security::Tls(_) | Security::TlsOrLocal(_), false) => {
                Err(refuse_plaintext(&mut stream).await)
            }
        }
    }

    async fn greet_tls(
        &self,
        tls: &PortTls,
        stream: TcpStream,
    ) -> Result<(Transport, Spoken), Refused> {
        let handshake = async {
            // The semaphore is never closed; were it, handshakes would just not be counted.
            let _place = self.places.acquire().await;
            let acceptor = TlsAcceptor::from(tls.config());
            acceptor.accept(stream).into_fallible().await
        };
        let mut stream = match handshake.await {
            Ok(stream) => Box::new(stream),
            Err((error, mut stream)) => {
                // The alert that says why is on its way.
                farewell(&mut stream, &[]).await;
                return Err(Refused::Handshake(error));
            }
        };
        let spoken = read_start(&mut stream).await?;
        match self.serves.refusal(&spoken) {
            None => Ok((Transport::Tls(stream), spoken)),
            Some((refused, text)) => {
                let answer = http1_answer(text);
                let _ = timeout(FAREWELL, stream.write_all(answer.as_bytes())).await;
                let _ = timeout(FAREWELL, stream.shutdown()).await;
                Err(refused)
            }
        }
    }

    async fn greet_plaintext(&self, mut stream: TcpStream) -> Result<(Transport, Spoken), Refused> {
        let spoken = read_start(&mut stream).await?;
        match self.serves.refusal(&spoken) {
            None => Ok((Transport::Plain(stream), spoken)),
            Some((refused, text)) => {
                farewell(&mut stream, http1_answer(text).as_bytes()).await;
                Err(refused)
            }
        }
    }
}

impl Serves {
    /// Why a client that speaks this is not served, and the text of the answer. The answer is HTTP/1 in
    /// both cases: clients of HTTP/2 take the answer for what the port speaks.
    const fn refusal(self, spoken: &Spoken) -> Option<(Refused, &'static str)> {
        match spoken {
            Spoken::Http1(_) if !self.http1 => Some((Refused::Http1, USE_HTTP2)),
            Spoken::Http2(_) if !self.grpc => Some((Refused::Http2, USE_HTTP1)),
            Spoken::Http1(_) | Spoken::Http2(_) => None,
        }
    }
}

impl Refused {
    /// All kinds.
    pub(super) const KINDS: [&'static str; 13] = [
        "closed",
        "silent",
        "plaintext",
        "tls",
        "http1",
        "http2",
        "proxy-protocol",
        "no-proxy-protocol",
        "strangers",
        "all-strangers",
        "garbage",
        "handshake",
        "certificate",
    ];

    /// The kind of the refusal, in one word, for counting.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Plaintext => "plaintext",
            Self::Tls => "tls",
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::ProxyProtocol => "proxy-protocol",
            Self::NoProxyProtocol(_) => "no-proxy-protocol",
            Self::Strangers(TooMany::OfOne(_)) => "strangers",
            Self::Strangers(TooMany::InAll(_)) => "all-strangers",
            Self::Garbage => "garbage",
            Self::Handshake(_) => "handshake",
            Self::Certificate(_) => "certificate",
        }
    }

    /// Whether the log gets a line. Port scans and health checks get none.
    pub(super) fn is_worth_a_line(&self) -> bool {
        match self {
            Self::Closed => false,
            // The balancer looks whether the port is there.
            Self::NoProxyProtocol(error) => error.kind() != io::ErrorKind::UnexpectedEof,
            _ => true,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed without a word"),
            Self::Silent => f.write_str("did not finish its handshake in time"),
            Self::Plaintext => write!(f, "a plaintext client; {USE_TLS}"),
            Self::Tls => write!(f, "a TLS client; {USE_PLAINTEXT}"),
            Self::Http1 => write!(f, "an HTTP/1 client; {USE_HTTP2}"),
            Self::Http2 => write!(f, "a gRPC client; {USE_HTTP1}"),
            Self::ProxyProtocol => f.write_str(
                "a balancer that speaks the PROXY protocol, which this port does not: switch it off there (HAProxy: `send-proxy`, nginx: `proxy_protocol`, AWS: proxy protocol v2), or name the balancer with --proxy-protocol-from and use version 2",
            ),
            Self::NoProxyProtocol(error) => write!(
                f,
                "--proxy-protocol-from names this address, and the connection does not begin with version 2 of the PROXY protocol ({error}): switch it on there (HAProxy: `send-proxy-v2`, AWS: proxy protocol v2)"
            ),
            Self::Strangers(TooMany::OfOne(number)) => write!(
                f,
                "this address has {number} connections over which nobody was admitted (--max-strangers)"
            ),
            Self::Strangers(TooMany::InAll(number)) => write!(
                f,
                "there are {number} connections over which nobody was admitted, half of the files that may be open: raise that limit (`ulimit -n`, `LimitNOFILE=` of a systemd unit)"
            ),
            Self::Garbage => f.write_str("a client that speaks neither TLS nor HTTP"),
            Self::Certificate(reason) => write!(f, "the client is refused: {reason}"),
            Self::Handshake(error) => write!(f, "the TLS handshake failed: {error}"),
        }
    }
}

/// Reads HTTP/2's first 24 bytes, and stops at the first byte that is none of them.
async fn read_start(stream: &mut (impl AsyncRead + Unpin)) -> Result<Spoken, Refused> {
    let mut read = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() {
        let more = stream.read(&mut read[length..]).await.unwrap_or(0);
        length += more;
        if more == 0 {
            return Err(Refused::Closed);
        }
        if read[..length] != PREFACE[..length] {
            return other_start(&read[..length]);
        }
    }
    Ok(Spoken::Http2(Bytes::from_static(PREFACE)))
}

/// What a client speaks whose first bytes are not those of HTTP/2.
fn other_start(start: &[u8]) -> Result<Spoken, Refused> {
    let begins = |known: &[u8]| known.starts_with(start) || start.starts_with(known);
    if PROXY_PROTOCOL.into_iter().any(begins) {
        Err(Refused::ProxyProtocol)
    } else if looks_like_http1(start) {
        Ok(Spoken::Http1(Bytes::copy_from_slice(start)))
    } else {
        Err(Refused::Garbage)
    }
}

fn looks_like_http1(start: &[u8]) -> bool {
    const METHODS: [&[u8]; 7] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"OPTIONS ",
        b"CONNECT ",
        b"DELETE ",
    ];
    METHODS
        .iter()
        .any(|method| start.starts_with(&method[..method.len().min(start.len())]))
}

async fn refuse_plaintext(stream: &mut TcpStream) -> Refused {
    match read_start(stream).await {
        Ok(Spoken::Http2(_)) => {
            farewell(stream, &goaway(USE_TLS)).await;
            Refused::Plaintext
        }
        Ok(Spoken::Http1(_)) => {
            farewell(stream, http1_answer(USE_TLS).as_bytes()).await;
            Refused::Plaintext
        }
        Err(refused) => refused,
    }
}

async fn refuse_tls(stream: &mut TcpStream) -> Refused {
    farewell(stream, http1_answer(USE_PLAINTEXT).as_bytes()).await;
    Refused::Tls
}

/// Sends a last text, and reads what the client still sends: closing a socket with unread bytes
/// resets the connection, and the client would never read the text.
async fn farewell(stream: &mut TcpStream, word: &[u8]) {
    let said = async {
        stream.write_all(word).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client listens or not, the connection is over.
    let _ = timeout(FAREWELL, said).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_is_told_from_http1_and_garbage() {
        let spoken = read_start(&mut &PREFACE[..]).await.unwrap();
        assert!(matches!(spoken, Spoken::Http2(preface) if preface[..] == PREFACE[..]));
        for request in [&b"GET / HTTP/1.1\r\n"[..], b"POST /"] {
            let spoken = read_start(&mut &request[..]).await.unwrap();
            assert!(matches!(spoken, Spoken::Http1(start) if request.starts_with(&start)));
        }
        assert!(matches!(
            read_start(&mut &b"PRI * HTTP/2.0\r\n"[..]).await,
            Err(Refused::Closed)
        ));
        assert!(matches!(
            read_start(&mut &[0u8, 1, 2][..]).await,
            Err(Refused::Garbage)
        ));
        assert!(matches!(
            read_start(&mut &b""[..]).await,
            Err(Refused::Closed)
        ));
    }

    #[tokio::test]
    async fn the_proxy_protocol_is_named() {
        for start in [
            &b"PROXY TCP4 10.0.0.1 10.0.0.2 5 9092\r\n"[..],
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
        ] {
            let refused = read_start(&mut &start[..]).await;
            assert!(matches!(refused, Err(Refused::ProxyProtocol)));
        }
        let refused = read_start(&mut &b"PROPFIND / HTTP/1.1\r\n"[..]).await;
        assert!(matches!(refused, Err(Refused::Garbage)));
    }

    #[test]
    fn goaway_has_the_length_of_its_text() {
        let frames = goaway("abc");
        assert_eq!((frames.len(), frames[9 + 2]), (9 + 9 + 8 + 3, 11));
        assert!(frames.ends_with(b"abc"));
        assert!(USE_TLS.len() < 248);
    }
}
