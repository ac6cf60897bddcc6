//! HTTP/1.1 beside gRPC on one port.

use std::sync::atomic::{AtomicUsize, Ordering};

use flwr_security::peer::Peer;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;
use tower::service_fn;

use super::*;

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

/// A port that answers each request with the request's path and body. A body `hold` is held until the
/// caller goes away or the test lets it go. The path `/refused` is refused without its body.
struct Echo {
    served: Served,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    begun: Notify,
    ended: Notify,
    go_on: Notify,
    calls: AtomicUsize,
}

/// Tells when a call ends, also when the call is dropped.
struct End(Arc<Held>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.ended.notify_one();
    }
}

async fn answered(request: Request<Body>, held: Arc<Held>) -> Answer {
    held.calls.fetch_add(1, Ordering::Relaxed);
    let peer = request.extensions().get::<Peer>().cloned();
    let path = request.uri().path().to_owned();
    if path == "/refused" {
        held.begun.notify_one();
        return status(StatusCode::UNAUTHORIZED);
    }
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return status(StatusCode::BAD_REQUEST),
    };
    if &body[..] == b"hold" {
        let _end = End(Arc::clone(&held));
        held.begun.notify_one();
        held.go_on.notified().await;
    }
    let is_here = peer.is_some_and(|peer| peer.address.ip().is_loopback());
    let text = format!("{path} {} {is_here}", String::from_utf8_lossy(&body));
    http::Response::new(Body::new(text))
}

fn status(status: StatusCode) -> Answer {
    let mut answer = http::Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

async fn echo(security: Security) -> Echo {
    echo_of(security, true).await
}

/// The same, without gRPC if it is not served.
async fn echo_of(security: Security, serves_grpc: bool) -> Echo {
    let held = Arc::new(Held::default());
    let of_calls = Arc::clone(&held);
    let service = service_fn(move |request| {
        let answer = answered(request, Arc::clone(&of_calls));
        async { Ok(answer.await) }
    });
    let (_reporter, health) = tonic_health::server::health_reporter();
    let listener = Listener::bind("127.0.0.1:0", security, SERVICE, Limits::default())
        .await
        .unwrap();
    let listener = match serves_grpc {
        true => listener.with_http1(service),
        false => listener.with_http1_alone(service),
    };
    let address = listener.local_addr();
    let stopper = Stopper::new();
    let done = tokio::spawn(listener.serve(Routes::new(health), stopper.clone()));
    let served = Served {
        address,
        stopper,
        done,
    };
    Echo { served, held }
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
}

/// Reads until this text has come.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), text: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !contains(&read, text) {
            let byte = stream.read_u8().await.expect("the connection goes on");
            read.push(byte);
        }
    };
    let came = timeout(SOON, reading).await;
    came.unwrap_or_else(|_| panic!("no {text:?} in {:?}", String::from_utf8_lossy(&read)));
    String::from_utf8(read).unwrap()
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn requests_of_each_form_are_served_on_one_connection() {
    let echo = echo(Security::Plaintext).await;
    let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
    for path in ["/a", "/b"] {
        send(&mut stream, &post(path, "Content-Length: 5\r\n", "hello")).await;
        let answer = read_until(&mut stream, &format!("{path} hello true")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\ndate: "), "{answer}");
    }
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    send(&mut stream, &post("/c", headers, "")).await;
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    send(&mut stream, "hello").await;
    read_until(&mut stream, "/c hello true").await;
    // A body in parts is the last on its connection.
    let parts = "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    send(
        &mut stream,
        &post("/d", "Transfer-Encoding: chunked\r\n", parts),
    )
    .await;
    let answer = read_until(&mut stream, "/d hello true").await;
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

/// Clients of flwr 1.42 send the head and the body of a request by two writes. A refusal may be made
/// between them.
#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_that_was_made_before_the_body_came() {
    let echo = echo(Security::Plaintext).await;
    let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
    send(&mut stream, &post("/refused", "Content-Length: 5\r\n", "")).await;
    timeout(SOON, echo.held.begun.notified()).await.unwrap();
    send(&mut stream, "hello").await;
    let refusal = read_until(&mut stream, "\r\n\r\n").await;
    assert!(refusal.starts_with("HTTP/1.1 401 "), "{refusal}");
    assert!(!refusal.contains("connection: close"), "{refusal}");
    send(&mut stream, &post("/a", "Content-Length: 2\r\n", "hi")).await;
    read_until(&mut stream, "/a hi true").await;
}

#[tokio::test]
async fn a_refusal_says_so_where_it_ends_its_connection() {
    let echo = echo(Security::Plaintext).await;
    let late = "Content-Length: 5\r\n";
    let long = "Content-Length: 100000\r\n";
    let waits = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    for headers in [late, long, waits] {
        let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
        send(&mut stream, &post("/refused", headers, "")).await;
        let refusal = read_until(&mut stream, "\r\n\r\n").await;
        assert!(refusal.starts_with("HTTP/1.1 401 "), "{refusal}");
        assert!(refusal.contains("connection: close"), "{refusal}");
    }
}

#[tokio::test]
async fn grpc_is_served_on_the_same_port() {
    let echo = echo(Security::Plaintext).await;
    let channel = Endpoint::new(format!("http://{}", echo.served.address)).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    assert_eq!(echo.held.calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn where_http1_alone_is_served_a_client_of_grpc_is_answered_in_http1() {
    const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let plaintext = echo_of(Security::Plaintext, false).await;
    let answer = talk(plaintext.served.address, PREFACE.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    assert!(contains(&answer, "this port speaks HTTP/1.1"), "{answer:?}");
    let mut stream = TcpStream::connect(plaintext.served.address).await.unwrap();
    send(&mut stream, &post("/a", "Content-Length: 2\r\n", "hi")).await;
    read_until(&mut stream, "/a hi true").await;
    // A client that says the preface over TLS has not listened to ALPN.
    let (security, connector) = tls();
    let secured = echo_of(security, false).await;
    let stream = TcpStream::connect(secured.served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    send(&mut stream, PREFACE).await;
    read_until(&mut stream, "this port speaks HTTP/1.1").await;
    assert_eq!(plaintext.held.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn http1_is_served_inside_tls() {
    let (security, connector) = tls();
    let echo = echo(security).await;
    let stream = TcpStream::connect(echo.served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    send(&mut stream, &post("/a", "Content-Length: 2\r\n", "hi")).await;
    read_until(&mut stream, "/a hi true").await;
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused_and_ends_its_connection() {
    let echo = echo(Security::Plaintext).await;
    let (length, parts) = ("Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n");
    let first = post("/a", "Content-Length: 2\r\n", "hi");
    for headers in [format!("{length}{parts}"), format!("{parts}{length}")] {
        let both = post(
            "/b",
            &headers,
            "0\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
        send(&mut stream, &first).await;
        read_until(&mut stream, "/a hi true").await;
        send(&mut stream, &both).await;
        let answer = read_until(&mut stream, "in one request\"}").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{rest:?}");
    }
    assert_eq!(echo.held.calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_request_for_two_hosts_is_refused_and_for_none_is_not() {
    let echo = echo(Security::Plaintext).await;
    let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
    send(&mut stream, "POST /a HTTP/1.1\r\n\r\n").await;
    read_until(&mut stream, "/a  true").await;
    send(&mut stream, &post("/b", "Host: b\r\n", "")).await;
    let answer = read_until(&mut stream, "in one request\"}").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(echo.held.calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_held_call_ends_when_its_caller_goes_away() {
    let echo = echo(Security::Plaintext).await;
    let mut stream = TcpStream::connect(echo.served.address).await.unwrap();
    send(&mut stream, &post("/a", "Content-Length: 4\r\n", "hold")).await;
    timeout(SOON, echo.held.begun.notified()).await.unwrap();
    drop(stream);
    timeout(SOON, echo.held.ended.notified()).await.unwrap();
}

#[tokio::test]
async fn a_stop_answers_the_call_under_way_and_ends_idle_connections() {
    let Echo { served, held } = echo(Security::Plaintext).await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    send(&mut idle, &post("/a", "Content-Length: 2\r\n", "hi")).await;
    read_until(&mut idle, "/a hi true").await;
    let mut busy = TcpStream::connect(served.address).await.unwrap();
    send(&mut busy, &post("/b", "Content-Length: 4\r\n", "hold")).await;
    timeout(SOON, held.begun.notified()).await.unwrap();
    served.stopper.stop();
    assert_eq!(
        timeout(SOON, idle.read(&mut [0])).await.unwrap().unwrap(),
        0
    );
    held.go_on.notify_one();
    read_until(&mut busy, "/b hold true").await;
    timeout(SOON, served.done).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_cuts_a_call_that_does_not_end() {
    let Echo { served, held } = echo(Security::Plaintext).await;
    let mut busy = TcpStream::connect(served.address).await.unwrap();
    send(&mut busy, &post("/b", "Content-Length: 4\r\n", "hold")).await;
    timeout(SOON, held.begun.notified()).await.unwrap();
    served.stopper.stop();
    timeout(SOON, served.done).await.unwrap().unwrap().unwrap();
    timeout(SOON, held.ended.notified()).await.unwrap();
}
