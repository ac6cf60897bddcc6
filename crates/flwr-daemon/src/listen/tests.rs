use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

mod binding;
mod http1;
mod strangers;

use super::*;

const SERVICE: Service = Service {
    name: "Fleet",
    flag: "--fleet-api-address",
};

struct Served {
    address: SocketAddr,
    stopper: Stopper,
    done: JoinHandle<Result<(), Error>>,
}

async fn serve(security: Security, limits: Limits) -> Served {
    let (_reporter, health) = tonic_health::server::health_reporter();
    serve_routes(Routes::new(health), security, limits).await
}

async fn serve_routes(routes: Routes, security: Security, limits: Limits) -> Served {
    let listener = Listener::bind("127.0.0.1:0", security, SERVICE, limits)
        .await
        .unwrap();
    let address = listener.local_addr();
    let stopper = Stopper::new();
    let done = tokio::spawn(listener.serve(routes, stopper.clone()));
    Served {
        address,
        stopper,
        done,
    }
}

fn tls() -> (Security, TlsConnector) {
    tls_of(rustls::DEFAULT_VERSIONS)
}

/// A server, and a client that speaks these versions.
fn tls_of(versions: &[&'static rustls::SupportedProtocolVersion]) -> (Security, TlsConnector) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    (
        Security::Tls(Arc::new(server).into()),
        TlsConnector::from(Arc::new(client)),
    )
}

async fn talk(address: SocketAddr, words: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer of no bytes.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn contains(answer: &[u8], text: &str) -> bool {
    answer
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn a_grpc_call_is_served_in_plaintext_and_the_server_stops_when_told() {
    let served = serve(Security::Plaintext, Limits::default()).await;
    let channel = Endpoint::new(format!("http://{}", served.address))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let answer = HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    assert_eq!(answer.into_inner().status, 1);
    served.stopper.stop();
    served.done.await.unwrap().unwrap();
    assert!(
        TcpStream::connect(served.address).await.is_err(),
        "the port is closed"
    );
}

#[tokio::test]
async fn a_tls_client_gets_http2_settings_over_tls() {
    let (security, connector) = tls();
    let served = serve(security, Limits::default()).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let mut stream = connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "a SETTINGS frame");
}

#[tokio::test]
async fn a_plaintext_client_on_a_tls_port_reads_why() {
    let served = serve(tls().0, Limits::default()).await;
    let answer = talk(
        served.address,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    )
    .await;
    assert!(contains(&answer, "this port speaks TLS"), "{answer:?}");
    let answer = talk(served.address, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(
        contains(&answer, "HTTP/1.1 400") && contains(&answer, "this port speaks TLS"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_tls_client_on_a_plaintext_port_learns_that_it_is_no_tls() {
    let served = serve(Security::Plaintext, Limits::default()).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let failed = tls()
        .1
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap_err();
    let reason = failed
        .get_ref()
        .unwrap()
        .downcast_ref::<rustls::Error>()
        .unwrap();
    assert!(
        matches!(reason, rustls::Error::InvalidMessage(_)),
        "{reason:?}"
    );
}

#[tokio::test]
async fn garbage_and_http1_are_turned_away() {
    let served = serve(Security::Plaintext, Limits::default()).await;
    assert_eq!(talk(served.address, &[0, 1, 2, 3]).await, b"");
    let answer = talk(served.address, b"GET / HTTP/1.1\r\n\r\n").await;
    for part in ["HTTP/1.1 400", "gRPC over HTTP/2"] {
        assert!(contains(&answer, part), "{answer:?}");
    }
    let served = serve(tls().0, Limits::default()).await;
    assert_eq!(talk(served.address, &[0, 1, 2, 3]).await, b"");
    assert!(
        !talk(served.address, &[0x16, 9, 9, 9, 9, 9, 9, 9, 9, 9])
            .await
            .starts_with(b"HTTP")
    );
}

#[tokio::test]
async fn a_half_open_handshake_times_out_and_frees_its_place() {
    let limits = Limits {
        connections: 1,
        handshake_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    for security in [tls().0, Security::Plaintext] {
        let served = serve(security, limits.clone()).await;
        for words in [&b""[..], &b"P"[..], &[0x16][..]] {
            // Each would wait for ever if the one before it kept the only place.
            talk(served.address, words).await;
        }
    }
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_place() {
    let served = serve(
        Security::Plaintext,
        Limits {
            connections: 1,
            ..Limits::default()
        },
    )
    .await;
    let first = Endpoint::new(format!("http://{}", served.address))
        .unwrap()
        .connect()
        .await
        .unwrap();
    HealthClient::new(first.clone())
        .check(HealthCheckRequest::default())
        .await
        .unwrap();
    let waiting = tokio::spawn(talk(served.address, b"GET / HTTP/1.1\r\n\r\n"));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(first);
    assert!(contains(&waiting.await.unwrap(), "gRPC over HTTP/2"));
}

#[tokio::test]
async fn a_connection_that_does_not_end_is_cut_after_the_grace() {
    let served = serve(
        Security::Plaintext,
        Limits {
            drain_grace: Duration::from_millis(50),
            ..Limits::default()
        },
    )
    .await;
    let channel = Endpoint::new(format!("http://{}", served.address))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = HealthClient::new(channel);
    // `watch` is a call without an end.
    let mut watch = client
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap();
    served.stopper.stop();
    served.done.await.unwrap().unwrap();
    assert!(watch.message().await.is_err());
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let served = serve(Security::Plaintext, Limits::default()).await;
    let address = served.address.to_string();
    let error = Listener::bind(&address, Security::Plaintext, SERVICE, Limits::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Port in server address {address} is already in use. Stop the program that listens there, or set another address with --fleet-api-address"
        )
    );
    let error = Listener::bind(
        "192.0.2.1:0",
        Security::Plaintext,
        SERVICE,
        Limits::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Fleet: cannot listen on 192.0.2.1:0 (--fleet-api-address)"
    );
    assert_eq!(served.address.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[tokio::test]
async fn a_name_is_served_on_each_of_its_addresses() {
    let listener = Listener::bind(
        "localhost:0",
        Security::Plaintext,
        SERVICE,
        Limits::default(),
    )
    .await
    .unwrap();
    let bound = listener.bound().clone();
    // A machine may have no IPv6, and name ::1 all the same.
    let named = lookup_host("localhost:0").await.unwrap();
    for address in named.filter(|at| std::net::TcpListener::bind(at).is_ok()) {
        let is_bound = bound.all().iter().any(|one| one.ip() == address.ip());
        assert!(is_bound, "{address} of {bound}");
    }
    let stopper = Stopper::new();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let done = tokio::spawn(listener.serve(Routes::new(health), stopper.clone()));
    for address in bound.all() {
        let channel = Endpoint::new(format!("http://{address}")).unwrap();
        let channel = channel.connect().await.unwrap();
        let mut client = HealthClient::new(channel);
        let answer = client.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status, 1, "{address}");
    }
    stopper.stop();
    done.await.unwrap().unwrap();
}

#[test]
fn answers_have_a_date_that_no_table_keeps() {
    let answer = dated(http::Response::default());
    let date = &answer.headers()["date"];
    assert!(date.is_sensitive());
    let told = httpdate::parse_http_date(date.to_str().unwrap()).unwrap();
    assert!(told.elapsed().unwrap().as_secs() < 60);
}
