//! Real sockets, and every reason for which there is no connection.

use std::net::SocketAddr;

use rcgen::CertificateParams;
use time::{Duration, OffsetDateTime};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::Status;

use super::*;
use flwr_security::testing::Files;

/// What a client that trusts the CA in `files` meets at a server with this certificate.
async fn meet(
    files: &Files,
    host: &str,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<(), ConnectError> {
    let acceptor = TlsAcceptor::from(files.server(change).asking().config());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        // The client's verdict counts; what the server makes of it does not.
        drop(acceptor.accept(tcp).await);
    });
    let trust = Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap());
    let met = Target::new((host, port), &trust, &Route::Direct)
        .connect()
        .await
        .map(|_| ());
    server.await.unwrap();
    met
}

fn reason(met: Result<(), ConnectError>) -> Reason {
    match met.unwrap_err() {
        ConnectError::Tls { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    meet(&Files::new(), "localhost", |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_with_the_names_it_has() {
    let met = meet(&Files::new(), "127.0.0.1", |_| {}).await;
    let (wanted, found) = ("127.0.0.1".to_owned(), "localhost".to_owned());
    assert_eq!(reason(met), Reason::NameMismatch { wanted, found });
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_date() {
    let yesterday = OffsetDateTime::now_utc() - Duration::DAY;
    let files = Files::new();
    let met = meet(&files, "localhost", |params| {
        (params.not_before, params.not_after) = (yesterday - Duration::WEEK, yesterday);
    });
    let until = Some(yesterday.date().to_string());
    assert_eq!(reason(met.await), Reason::Expired { until });
}

#[tokio::test]
async fn a_certificate_of_tomorrow_is_refused() {
    let tomorrow = OffsetDateTime::now_utc() + Duration::DAY;
    let files = Files::new();
    let met = meet(&files, "localhost", |params| params.not_before = tomorrow);
    assert!(matches!(reason(met.await), Reason::NotYetValid { .. }));
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let (files, others) = (Files::new(), Files::new());
    let acceptor = TlsAcceptor::from(others.server(|_| {}).asking().config());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        drop(acceptor.accept(listener.accept().await.unwrap().0).await);
    });
    let trust = Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap());
    let met = Target::new(("localhost", port), &trust, &Route::Direct)
        .connect()
        .await
        .map(|_| ());
    assert_eq!(reason(met), Reason::UnknownIssuer);
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        // An HTTP/2 server begins with its SETTINGS.
        tcp.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
        tcp.shutdown().await.unwrap();
    });
    let trust = Trust::Tls(ClientTls::trusting(Files::new().path("ca.crt")).unwrap());
    let met = Target::new(("localhost", port), &trust, &Route::Direct)
        .connect()
        .await
        .map(|_| ());
    assert_eq!(reason(met), Reason::Plaintext);
    server.await.unwrap();
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_reach_the_caller_of_a_channel() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let status = call(("127.0.0.1", port)).await;
    let refused = ConnectError::Refused {
        address: format!("127.0.0.1:{port}"),
    };
    assert_eq!(connect_error(&status), Some(&refused), "{status:?}");

    let status = call(("no-such-host.invalid", 1)).await;
    assert!(
        matches!(connect_error(&status), Some(ConnectError::Dns { .. })),
        "{status:?}"
    );
}

/// The status of a call over a channel to this address.
async fn call(address: (&str, u16)) -> Status {
    let mut grpc = tonic::client::Grpc::new(channel(address, &Trust::Plaintext, &Route::Direct));
    grpc.ready().await.map_err(Status::from_error).unwrap();
    let request = tower::ServiceExt::oneshot(
        channel(address, &Trust::Plaintext, &Route::Direct),
        http::Request::new(tonic::body::Body::empty()),
    );
    Status::from_error(request.await.unwrap_err())
}

/// A listener with no room for one more connection: whoever tries gets no answer.
fn black_hole() -> (SocketAddr, Vec<std::net::TcpStream>, TcpListener) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Linux keeps one more than it was told.
    let waiting = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap());
    (address, waiting.collect(), listener)
}

fn plaintext(port: u16) -> Target {
    Target::new(("127.0.0.1", port), &Trust::Plaintext, &Route::Direct)
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_an_error_after_ten_seconds() {
    let (address, _waiting, _listener) = black_hole();
    let started = tokio::time::Instant::now();
    let met = plaintext(address.port()).connect().await.map(drop);
    let address = address.to_string();
    assert_eq!(
        met,
        Err(ConnectError::Timeout {
            address,
            seconds: 10
        })
    );
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_address_behind_a_black_hole_does_not_hide_the_next() {
    let (first, _waiting, _listener) = black_hole();
    let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = good.local_addr().unwrap();
    let met = reach::first_of("127.0.0.1", second.port(), &[first, second]).await;
    assert_eq!(met.unwrap().peer_addr().unwrap(), second);
}

#[tokio::test]
async fn a_handshake_works_over_ipv6() {
    let files = Files::new();
    let tls = files.load().unwrap();
    let acceptor = TlsAcceptor::from(tls.asking().config());
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server =
        tokio::spawn(async move { acceptor.accept(listener.accept().await.unwrap().0).await });
    let trust = Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap());
    let target = Target::new(("::1", port), &trust, &Route::Direct);
    target.connect().await.map(drop).unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_learns_that_the_client_does_not_trust_its_ca() {
    let (files, others) = (Files::new(), Files::new());
    let acceptor = TlsAcceptor::from(others.server(|_| {}).asking().config());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server =
        tokio::spawn(async move { acceptor.accept(listener.accept().await.unwrap().0).await });
    let trust = Trust::Tls(ClientTls::trusting(files.path("ca.crt")).unwrap());
    let target = Target::new(("localhost", port), &trust, &Route::Direct);
    assert!(target.connect().await.is_err());
    let Reason::Alert(text) = explain(&server.await.unwrap().unwrap_err()) else {
        panic!("no alert")
    };
    assert_eq!(text, "it does not trust the CA of our certificate");
}

#[tokio::test]
async fn a_plaintext_call_to_a_tls_server_is_told_what_it_met() {
    let acceptor = TlsAcceptor::from(Files::new().server(|_| {}).asking().config());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            assert!(acceptor.accept(tcp).await.is_err());
        }
    });
    let channel = channel(
        ("127.0.0.1", address.port()),
        &Trust::Plaintext,
        &Route::Direct,
    );
    let expected = ConnectError::TlsServer {
        address: address.to_string(),
    };
    // The second call's connection is a new one, with the same end.
    for _ in 0..2 {
        let request = http::Request::new(tonic::body::Body::empty());
        let error = tower::ServiceExt::oneshot(channel.clone(), request)
            .await
            .unwrap_err();
        let status = Status::from_error(error);
        assert!(
            causes(&status).contains(&expected.to_string()),
            "{status:?}"
        );
    }
    server.abort();
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_may_speak_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.shutdown().await.unwrap();
        // Until the client has gone too, so that it meets an orderly end.
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let status = call_in_plaintext(address).await;
    let expected = ConnectError::Wordless {
        address: address.to_string(),
    };
    assert!(
        causes(&status).contains(&expected.to_string()),
        "{status:?}"
    );
    assert!(expected.to_string().contains("closed without a word"));
    server.await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_answers_in_http1_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let page = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        tcp.write_all(page).await.unwrap();
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let status = call_in_plaintext(address).await;
    let expected = ConnectError::Http1 {
        address: address.to_string(),
        answer: "HTTP/1.1 503 Service Unavailable".to_owned(),
    };
    assert!(
        causes(&status).contains(&expected.to_string()),
        "{status:?}"
    );
    server.await.unwrap();
}

/// How a call without TLS ends there.
async fn call_in_plaintext(address: SocketAddr) -> Status {
    let address = ("127.0.0.1", address.port());
    let channel = channel(address, &Trust::Plaintext, &Route::Direct);
    let request = http::Request::new(tonic::body::Body::empty());
    let ended = tower::ServiceExt::oneshot(channel, request).await;
    Status::from_error(ended.unwrap_err())
}

/// All that a status and its causes say.
fn causes(status: &Status) -> String {
    std::iter::successors(status.source(), |&error| error.source())
        .map(|error| format!("{error}\n"))
        .collect()
}
