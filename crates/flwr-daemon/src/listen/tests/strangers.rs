//! Connections without an admitted caller, and the true address of clients of balancers.

use std::convert::Infallible;
use std::task::{Context, Poll};

use flwr_security::peer::Peer;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tower::Service as Tower;

use super::*;
use crate::network::Network;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Admits everybody who calls, and notes from where they come.
#[derive(Clone, Default)]
struct Admits(Arc<Mutex<Vec<SocketAddr>>>);

impl NamedService for Admits {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl Tower<http::Request<Body>> for Admits {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().unwrap();
        peer.standing.admit();
        self.0.lock().push(peer.address);
        let answer = http::Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "12")
            .header("grpc-message", "admitted");
        Box::pin(async { Ok(answer.body(Body::empty()).unwrap()) })
    }
}

async fn connect(address: SocketAddr, words: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words).await.unwrap();
    stream
}

/// Whether HTTP/2 is spoken at the other end.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.is_ok() && head[3] == 4
}

#[tokio::test]
async fn an_address_has_so_many_connections_without_an_admitted_caller() {
    let strangers = Strangers::new(Some(2));
    let limits = Limits {
        strangers: strangers.clone(),
        ..Limits::default()
    };
    let served = serve(Security::Plaintext, limits.clone()).await;
    let other_port = serve(Security::Plaintext, limits).await;
    let mut first = connect(served.address, PREFACE).await;
    assert!(is_served(&mut first).await);
    let mut second = connect(other_port.address, PREFACE).await;
    assert!(is_served(&mut second).await);
    for port in [served.address, other_port.address] {
        let mut third = connect(port, PREFACE).await;
        assert!(!is_served(&mut third).await, "above the limit");
    }
    drop(first);
    let again = async { while !is_served(&mut connect(served.address, PREFACE).await).await {} };
    timeout(Duration::from_secs(20), again).await.unwrap();
}

#[tokio::test]
async fn a_connection_ends_unless_a_caller_is_admitted() {
    let limits = Limits {
        strangers: Strangers::new(Some(1)),
        stranger_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let routes = Routes::new(Admits::default());
    let served = serve_routes(routes, Security::Plaintext, limits).await;
    let endpoint = Endpoint::new(format!("http://{}", served.address)).unwrap();
    let mut admitted = HealthClient::new(endpoint.connect().await.unwrap());
    let mut call = async || {
        let answer = admitted.check(HealthCheckRequest::default()).await;
        assert_eq!(answer.unwrap_err().message(), "admitted");
    };
    call().await;
    // The admitted one leaves the only place for strangers, who lose it after their time.
    let mut stranger = connect(served.address, PREFACE).await;
    let mut rest = Vec::new();
    let ended = stranger.read_to_end(&mut rest);
    let _ = timeout(Duration::from_secs(20), ended).await.unwrap();
    assert_eq!(rest[3], 4, "it was served until then");
    call().await;
}

#[tokio::test]
async fn a_balancer_tells_the_address_of_its_clients_and_nobody_else_does() {
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\xc3\x50\x23\x84";
    let proxied = [&header[..], PREFACE].concat();
    let limits = |networks: &[Network]| Limits {
        strangers: Strangers::new(Some(1)),
        balancers: Balancers::new(networks),
        ..Limits::default()
    };
    let served = serve(Security::Plaintext, limits(&["127.0.0.1".parse().unwrap()])).await;
    let mut client = connect(served.address, &proxied).await;
    assert!(is_served(&mut client).await);
    let mut second = connect(served.address, &proxied).await;
    assert!(
        !is_served(&mut second).await,
        "192.0.2.7 has its connection"
    );
    let mut other = proxied.clone();
    other[19] = 8;
    assert!(is_served(&mut connect(served.address, &other).await).await);
    let mut direct = connect(served.address, PREFACE).await;
    assert!(!is_served(&mut direct).await, "it says nobody's address");

    let elsewhere = serve(
        Security::Plaintext,
        limits(&["10.0.0.0/8".parse().unwrap()]),
    )
    .await;
    let mut forged = connect(elsewhere.address, &proxied).await;
    assert!(!is_served(&mut forged).await, "it is no balancer");
}

#[tokio::test]
async fn requests_have_the_address_that_the_balancer_tells() {
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\xc3\x50\x23\x84";
    let limits = Limits {
        balancers: Balancers::new(&["127.0.0.0/8".parse().unwrap()]),
        ..Limits::default()
    };
    let service = Admits::default();
    let routes = Routes::new(service.clone());
    let served = serve_routes(routes, Security::Plaintext, limits).await;
    let mut stream = connect(served.address, header).await;
    stream.write_all(PREFACE).await.unwrap();
    // HEADERS of stream 1: POST, http, a path, each as a literal (RFC 7541, 6.2.2).
    let path = b"/grpc.health.v1.Health/Check";
    let mut block = vec![0x83, 0x86, 0x04, path.len() as u8];
    block.extend(path);
    let mut frame = vec![0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1];
    frame.extend(block);
    stream.write_all(&frame).await.unwrap();
    let told = async {
        while service.0.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), told).await.unwrap();
    assert_eq!(service.0.lock()[0].to_string(), "192.0.2.7:50000");
}
