//! What binds proofs to a connection.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use flwr_security::joining::EXPORTER_LABEL;
use flwr_security::peer::{Binding, Peer};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use super::*;

/// A service that keeps what binds proofs to its callers' connections.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Option<Binding>>>>);

impl NamedService for Kept {
    const NAME: &'static str = "grpc.health.v1.Health";
}

impl Service<http::Request<Body>> for Kept {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().unwrap();
        self.0.lock().push(peer.binding);
        let mut response = http::Response::new(Body::default());
        let unimplemented = HeaderValue::from_static("12");
        response.headers_mut().insert("grpc-status", unimplemented);
        ready(Ok(response))
    }
}

/// Calls over a new connection of this version. Gives what the client exports of the connection.
async fn call(
    address: SocketAddr,
    connector: &TlsConnector,
    version: &'static SupportedProtocolVersion,
) -> [u8; 32] {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    let (_, session) = stream.get_ref();
    assert_eq!(session.protocol_version(), Some(version.version));
    let exported = session.export_keying_material([0; 32], EXPORTER_LABEL, None);
    let mut stream = Some(TokioIo::new(stream));
    let connect = tower::service_fn(move |_| {
        let stream = stream.take();
        async move { stream.ok_or_else(|| io::Error::other("the connection is used up")) }
    });
    let endpoint = Endpoint::from_static("https://localhost");
    let channel = endpoint.connect_with_connector(connect).await.unwrap();
    for _ in 0..2 {
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel.clone()).check(request).await;
        assert_eq!(answer.unwrap_err().code(), tonic::Code::Unimplemented);
    }
    exported.unwrap()
}

#[tokio::test]
async fn calls_of_a_tls_1_3_connection_know_what_both_ends_export() {
    let (security, connector) = tls();
    let kept = Kept::default();
    let served = serve_routes(Routes::new(kept.clone()), security, Limits::default()).await;
    let first = call(served.address, &connector, &TLS13).await;
    let second = call(served.address, &connector, &TLS13).await;
    assert_ne!(first, second);
    let expected = [first, first, second, second].map(|exported| Some(Binding(exported)));
    assert_eq!(*kept.0.lock(), expected);
}

#[tokio::test]
async fn calls_of_an_earlier_version_have_nothing_to_bind_proofs_to() {
    let (security, connector) = tls_of(&[&TLS12]);
    let kept = Kept::default();
    let served = serve_routes(Routes::new(kept.clone()), security, Limits::default()).await;
    call(served.address, &connector, &TLS12).await;
    assert_eq!(*kept.0.lock(), [None, None]);
}
