//! A connection made step by step, to tell at which one it fails.

use std::net::SocketAddr;
use std::time::Duration;

use flwr_core::monotonic;
use rustls::ProtocolVersion;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::plaintext::plaintext;
use super::secured::secured;
use super::{Carrier, ConnectError, Io, Route, Target, Trust, reach};
use flwr_security::tls::Certificate;

/// What an HTTP/2 client says first: the preface, and a SETTINGS frame without settings (RFC 9113).
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// What a server of HTTP/1.1 says first if all is well.
const WELL: &[u8; 12] = b"HTTP/1.1 200";
/// Bytes of a frame's header.
const FRAME_HEADER: usize = 9;
/// The type of the frame with which a server begins.
const SETTINGS: u8 = 4;
/// How long a server may take to say so.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far a connection comes.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The way that was taken.
    pub route: Route,
    /// How long the proxy took, if there is one and it leads to the server.
    pub proxied: Option<Duration>,
    /// What the name stands for, if it was resolved here.
    pub addresses: Vec<SocketAddr>,
    /// The address that answered, and how long it took.
    pub tcp: Option<(SocketAddr, Duration)>,
    /// What is known of the server's end, if there is TLS.
    pub tls: Option<Proven>,
    /// What the server speaks.
    pub carrier: Option<Carrier>,
    /// Why it goes no further.
    pub stopped: Option<WalkError>,
}

/// A server that has proven its name.
#[derive(Clone, Debug)]
pub struct Proven {
    /// Its certificate.
    pub certificate: Certificate,
    /// The version of TLS, such as `TLS 1.3`.
    pub version: String,
    /// Days until the certificate ends, or one of those of its CAs that the server shows.
    pub days_left: i64,
}

/// Why a walk ends.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WalkError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not answer.
    #[error("the server has not answered for {} s", PATIENCE.as_secs())]
    Silent,
    /// The server answers in another language.
    #[error("the server does not speak HTTP/2: it is no gRPC server, or there is a proxy between")]
    NotHttp2,
    /// The server hangs up.
    #[error("the server closed the connection")]
    Closed,
    /// The line broke.
    #[error("{0}")]
    Broken(String),
}

/// Walks to `host:port`; dates are looked at as of `now`.
pub async fn walk(address: (&str, u16), trust: &Trust, route: &Route, now: OffsetDateTime) -> Walk {
    walk_or(address, None, trust, route, now).await
}

/// Walks to `host:port`, and to another port of the host if nothing listens at the first.
pub async fn walk_or(
    address: (&str, u16),
    other_port: Option<u16>,
    trust: &Trust,
    route: &Route,
    now: OffsetDateTime,
) -> Walk {
    let target = Target::new(address, trust, route).or_port(other_port);
    let mut walk = Walk {
        route: route.clone(),
        ..Walk::default()
    };
    let ended = go(&target, &mut walk, now).await;
    walk.stopped = match ended {
        // A SuperLink of flwr 1.37 or later, or no SuperLink.
        Err(stopped) if matches!(&stopped, WalkError::Connect(error) if error.is_of_http1()) => {
            let asked = over_http1(&target.speaking(Carrier::Http), &mut walk, now).await;
            asked.err().map(|()| stopped)
        }
        ended => ended.err(),
    };
    walk
}

/// Asks a SuperLink that speaks HTTP/1.1 whether it is well.
async fn over_http1(target: &Target, walk: &mut Walk, now: OffsetDateTime) -> Result<(), ()> {
    let line = target.line().await.map_err(drop)?;
    let mut io: Box<dyn Io> = match &target.trust {
        Trust::Plaintext => line,
        Trust::Tls(tls) => {
            let stream = target.greet(tls, line).await.map_err(drop)?;
            walk.tls = proven(&stream, now);
            Box::new(stream)
        }
    };
    let host = target.address();
    let asked = format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = [0; WELL.len()];
    let answered = async {
        io.write_all(asked.as_bytes()).await?;
        io.flush().await?;
        io.read_exact(&mut answer).await
    };
    match timeout(PATIENCE, answered).await {
        Ok(Ok(_)) if answer == *WELL => {
            walk.carrier = Some(Carrier::Http);
            Ok(())
        }
        _ => Err(()),
    }
}

async fn go(target: &Target, walk: &mut Walk, now: OffsetDateTime) -> Result<(), WalkError> {
    let (host, port) = (&target.host, target.port);
    match &target.route {
        Route::Direct => {
            walk.addresses = reach::resolve(host, port).await?;
            let begun = monotonic::now();
            let tcp = match target.other_port {
                None => reach::first_of(host, port, &walk.addresses).await?,
                Some(_) => target.reach().await?,
            };
            if let Ok(address) = tcp.peer_addr() {
                walk.tcp = Some((address, begun.elapsed()));
            }
            over(tcp, target, walk, now).await
        }
        Route::Through(proxy) => {
            let begun = monotonic::now();
            let tunnel = proxy.tunnel(host, port).await?;
            walk.proxied = Some(begun.elapsed());
            over(tunnel, target, walk, now).await
        }
    }
}

/// The rest of the way, once there is a line.
async fn over<T: Io + 'static>(
    line: T,
    target: &Target,
    walk: &mut Walk,
    now: OffsetDateTime,
) -> Result<(), WalkError> {
    let io: Box<dyn Io> = match &target.trust {
        Trust::Plaintext => plaintext(line, target).await?,
        Trust::Tls(tls) => {
            let stream = target.greet(tls, line).await?;
            walk.tls = proven(&stream, now);
            Box::new(secured(stream, target))
        }
    };
    let spoken = timeout(PATIENCE, speak(io)).await;
    spoken.map_err(|_| WalkError::Silent)??;
    walk.carrier = Some(Carrier::Grpc);
    Ok(())
}

fn proven<T>(stream: &TlsStream<T>, now: OffsetDateTime) -> Option<Proven> {
    let connection = stream.get_ref().1;
    let shown = connection.peer_certificates()?;
    let certificate = Certificate::read(shown.first()?).ok()?;
    let chain = shown.iter().filter_map(|der| Certificate::read(der).ok());
    Some(Proven {
        days_left: chain.map(|of| of.days_left(now)).min()?,
        certificate,
        version: match connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        },
    })
}

/// Says hello, and listens to what comes back. A server that does not like the client's
/// certificate says so only now.
async fn speak(mut io: Box<dyn Io>) -> Result<(), WalkError> {
    io.write_all(HELLO).await.map_err(|error| broken(&error))?;
    io.flush().await.map_err(|error| broken(&error))?;
    let mut header = [0; FRAME_HEADER];
    io.read_exact(&mut header)
        .await
        .map_err(|error| broken(&error))?;
    if header[3] == SETTINGS {
        Ok(())
    } else {
        Err(WalkError::NotHttp2)
    }
}

fn broken(error: &std::io::Error) -> WalkError {
    let known = error.get_ref().and_then(|inner| inner.downcast_ref());
    match known {
        Some(error) => WalkError::Connect(ConnectError::clone(error)),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => WalkError::Closed,
        None => WalkError::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flwr_core::checkup::{Checkup, Outcome};
    use rustls::ServerConfig;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use flwr_security::testing::Files;
    use flwr_security::tls::ClientTls;

    /// An empty SETTINGS frame.
    const ANSWER: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

    /// Walks to a server that answers whatever it hears with these bytes; over TLS if it has
    /// files. The findings, step by step.
    async fn walked(
        host: &str,
        server: Option<Arc<ServerConfig>>,
        answer: &'static [u8],
        trust: &Trust,
    ) -> Vec<(&'static str, Outcome, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = server.map(TlsAcceptor::from);
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut io: Box<dyn Io> = match acceptor {
                None => Box::new(tcp),
                Some(acceptor) => match acceptor.accept(tcp).await {
                    Ok(tls) => Box::new(tls),
                    Err(_) => return,
                },
            };
            let mut heard = [0; 64];
            let _ = io.read(&mut heard).await;
            let _ = io.write_all(answer).await;
            let _ = io.flush().await;
        });
        let walk = walk(
            (host, port),
            trust,
            &Route::Direct,
            OffsetDateTime::now_utc(),
        )
        .await;
        let mut checkup = Checkup::new();
        walk.tell(trust, &mut checkup);
        let findings = checkup.findings().iter();
        findings
            .map(|finding| (finding.step, finding.outcome, finding.text.clone()))
            .collect()
    }

    /// A server's side, and that of a client that trusts it.
    fn sides(files: &Files) -> (Option<Arc<ServerConfig>>, Trust) {
        let server = files.server(|_| {}).asking().config();
        let trust = Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap());
        (Some(server), trust)
    }

    fn outcomes(found: &[(&str, Outcome, String)]) -> Vec<Outcome> {
        found.iter().map(|(_, outcome, _)| *outcome).collect()
    }

    #[tokio::test]
    async fn a_good_way_is_told_step_by_step() {
        let files = Files::new();
        let (server, trust) = sides(&files);
        let found = walked("localhost", server, ANSWER, &trust).await;
        assert_eq!(outcomes(&found), [Outcome::Good; 4], "{found:?}");
        assert!(found[2].2.starts_with("TLS 1.3, "), "{found:?}");
        let found = walked("localhost", None, ANSWER, &Trust::Plaintext).await;
        assert_eq!(found[2].1, Outcome::Warning, "{found:?}");
        assert_eq!(found[3].1, Outcome::Good, "{found:?}");
    }

    #[tokio::test]
    async fn the_step_that_fails_is_named_and_those_after_it_are_skipped() {
        use Outcome::{Failed, Good, Skipped};
        let (files, strangers) = (Files::new(), Files::new());
        let (server, trust) = sides(&files);
        let (_, strange) = sides(&strangers);
        let found = walked("localhost", server.clone(), ANSWER, &strange).await;
        assert_eq!(outcomes(&found), [Good, Good, Failed, Skipped], "{found:?}");
        assert!(found[2].2.contains("not trusted here"), "{found:?}");
        let found = walked("localhost", None, ANSWER, &trust).await;
        assert_eq!(outcomes(&found), [Good, Good, Failed, Skipped], "{found:?}");
        let found = walked("localhost", server.clone(), b"HTTP/1.1 400", &trust).await;
        assert_eq!(found[3].1, Failed, "{found:?}");
        assert!(found[3].2.contains("does not speak HTTP/2"), "{found:?}");
        let found = walked("localhost", server, b"", &trust).await;
        assert_eq!(found[3].1, Failed, "{found:?}");
        assert!(found[3].2.contains("closed"), "{found:?}");
        let found = walked("no-such-host.invalid", None, ANSWER, &Trust::Plaintext).await;
        assert_eq!(
            outcomes(&found),
            [Failed, Skipped, Skipped, Skipped],
            "{found:?}"
        );
    }

    #[tokio::test]
    async fn where_nobody_listens_it_ends_at_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let now = OffsetDateTime::now_utc();
        let walk = walk(("127.0.0.1", port), &Trust::Plaintext, &Route::Direct, now).await;
        let mut checkup = Checkup::new();
        walk.tell(&Trust::Plaintext, &mut checkup);
        assert_eq!(checkup.findings()[1].outcome, Outcome::Failed, "{checkup}");
        assert!(
            checkup.to_string().contains("nothing listens there"),
            "{checkup}"
        );
    }
}
