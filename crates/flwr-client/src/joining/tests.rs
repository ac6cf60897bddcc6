//! A SuperLink that takes join tokens, and others that a token must not reach.

use std::convert::Infallible;
use std::fs;
use std::sync::Arc;

use flwr_security::joining::{Exported, Pin};
use flwr_security::key::PublicKey;
use flwr_security::testing::Files;
use flwr_security::tls::{certificates_of, pin_of};
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::server::Grpc;
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::*;

const NODE: u64 = 7;

/// What the SuperLink was sent, with the material of its end of the connection.
type Heard = Arc<Mutex<Option<(JoinRequest, Exported)>>>;

/// A SuperLink's files, whose chain ends in its authority.
fn files() -> Files {
    let files = Files::new();
    let read = |name| fs::read_to_string(files.path(name)).unwrap();
    files.write("server.pem", &(read("server.pem") + &read("ca.crt")));
    files
}

fn pin(files: &Files) -> Pin {
    pin_of(&certificates_of(&files.path("ca.crt")).unwrap()[0]).unwrap()
}

async fn listen() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("localhost:{port}").parse().unwrap())
}

/// A SuperLink that answers the first request with `answer`.
async fn superlink(
    server: Arc<ServerConfig>,
    answer: Result<JoinResponse, Status>,
) -> (Address, Heard, JoinHandle<()>) {
    let (listener, address) = listen().await;
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let tls = TlsAcceptor::from(server).accept(tcp).await.unwrap();
        let session = tls.get_ref().1;
        let label = flwr_security::joining::EXPORTER_LABEL;
        let exported = session.export_keying_material([0; 32], label, None);
        let exported = exported.unwrap();
        let calls = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (hears, answer) = (Arc::clone(&hears), answer.clone());
            async move {
                assert_eq!(request.uri().path(), "/flower.join.Join/Join");
                let method = service_fn(move |request: tonic::Request<JoinRequest>| {
                    *hears.lock() = Some((request.into_inner(), exported));
                    let answer = answer.clone().map(tonic::Response::new);
                    async move { answer }
                });
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok::<_, Infallible>(grpc.unary(method, request).await)
            }
        });
        let served = http2::Builder::new(TokioExecutor::new());
        let _ = served.serve_connection(TokioIo::new(tls), calls).await;
    });
    (address, heard, task)
}

async fn join_with(address: &Address, pin: Pin) -> (JoinToken, Result<Welcome, JoinError>) {
    let token = JoinToken::issue(pin, address.clone()).unwrap();
    let key = PrivateKey::generate().unwrap();
    let joined = join(address, None, &Route::Direct, &token, &key, vec![1, 2]).await;
    (token, joined)
}

#[tokio::test]
async fn a_node_proves_its_key_on_this_connection_and_gets_its_id() {
    let files = files();
    let server = files.load().unwrap().asking().config();
    let answer = JoinResponse {
        node_id: NODE,
        superlink: "fleet.example:9092".to_owned(),
        certificate: Bytes::from_static(b"PEM"),
        name: "ward 7".to_owned(),
    };
    let (address, heard, _task) = superlink(server, Ok(answer)).await;
    let (token, joined) = join_with(&address, pin(&files)).await;
    let welcome = joined.unwrap();
    assert_eq!(welcome.node, NodeId(NODE));
    assert_eq!(welcome.superlink.to_string(), "fleet.example:9092");
    assert_eq!(welcome.name, "ward 7");
    assert_eq!(welcome.certificate, "PEM");
    let authorities = certificates_of(&files.path("ca.crt")).unwrap();
    assert_eq!(welcome.authority, authorities[0]);

    let (request, exported) = heard.lock().take().unwrap();
    assert_eq!(request.token_id, token.id.0[..]);
    assert_eq!(request.secret, token.secret.reveal());
    assert_eq!(request.signing_request, [1, 2][..]);
    let key = PublicKey::from_spki(&request.key);
    let key = key.unwrap();
    let statement = join_statement(&exported, token.id, &key);
    key.verify(&statement, &request.proof).unwrap();
    let elsewhere = join_statement(&[0; 32], token.id, &key);
    key.verify(&elsewhere, &request.proof).unwrap_err();
}

#[tokio::test]
async fn an_answer_without_an_address_means_that_of_the_token_and_one_without_a_node_is_unusable() {
    let files = files();
    for (node_id, is_good) in [(NODE, true), (0, false)] {
        let server = files.load().unwrap().asking().config();
        let answer = JoinResponse {
            node_id,
            ..JoinResponse::default()
        };
        let (address, _, _task) = superlink(server, Ok(answer)).await;
        let (_, joined) = join_with(&address, pin(&files)).await;
        assert_eq!(joined.is_ok(), is_good, "{joined:?}");
        match joined {
            Ok(welcome) => assert_eq!(welcome.superlink, address),
            Err(error) => assert!(!error.is_passing(), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_a_busy_superlink_is_asked_again() {
    let files = files();
    for (status, is_passing) in [
        (
            Status::permission_denied("the join token has expired"),
            false,
        ),
        (Status::unimplemented("no such method"), false),
        (Status::unavailable("too many wrong tries: 60 s"), true),
    ] {
        let server = files.load().unwrap().asking().config();
        let said = status.message().to_owned();
        let (address, _, _task) = superlink(server, Err(status)).await;
        let (_, joined) = join_with(&address, pin(&files)).await;
        let error = joined.unwrap_err();
        assert_eq!(error.is_passing(), is_passing, "{error}");
        let told = error.to_string();
        let names_flag = told.contains("--enable-supernode-auth");
        assert!(told.contains(&said) || names_flag, "{told}");
    }
}

#[tokio::test]
async fn a_superlink_of_another_authority_gets_the_handshake_and_nothing_else() {
    let (mine, others) = (files(), files());
    let server = others.load().unwrap().asking().config();
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(server).accept(tcp).await.map(drop)
    });
    let (_, joined) = join_with(&address, pin(&mine)).await;
    let error = joined.unwrap_err();
    assert!(!error.is_passing(), "{error}");
    assert!(
        error
            .to_string()
            .contains("the authority that the join token names"),
        "{error}"
    );
    // The node's alert is the end of its handshake: no byte of a call was sent.
    task.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_superlink_of_tls_1_2_is_refused_with_the_likely_cause() {
    let files = files();
    let key = fs::read(files.path("server.key")).unwrap();
    let key = rustls_pki_types::pem::PemObject::from_pem_slice(&key).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_protocol_versions(&[&rustls::version::TLS12])
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(certificates_of(&files.path("server.pem")).unwrap(), key)
    .unwrap();
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(server))
            .accept(tcp)
            .await
            .map(drop)
    });
    let (_, joined) = join_with(&address, pin(&files)).await;
    let error = joined.unwrap_err();
    assert!(matches!(error, JoinError::NoTls13(_)), "{error}");
    assert!(
        error.to_string().contains("a proxy that ends TLS"),
        "{error}"
    );
    task.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_plaintext_server_gets_the_handshake_and_nothing_else() {
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let length = tcp.read(&mut heard).await.unwrap();
        heard.truncate(length);
        // An HTTP/2 server begins with its SETTINGS.
        tokio::io::AsyncWriteExt::write_all(&mut tcp, b"\0\0\0\x04\0\0\0\0\0")
            .await
            .unwrap();
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
        (heard, rest)
    });
    let (token, joined) = join_with(&address, pin(&files())).await;
    let error = joined.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    let (hello, rest) = task.await.unwrap();
    assert_eq!(hello.first(), Some(&22), "a handshake");
    // At most an alert follows.
    assert!(rest.len() <= 7, "{rest:?}");
    let secret = token.secret.reveal();
    assert!(!hello.windows(secret.len()).any(|bytes| bytes == secret));
}

#[tokio::test]
async fn where_nobody_listens_another_try_may_succeed() {
    let (listener, address) = listen().await;
    drop(listener);
    let (_, joined) = join_with(&address, pin(&files())).await;
    let error = joined.unwrap_err();
    assert!(error.is_passing(), "{error}");
}
