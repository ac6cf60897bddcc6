//! Calls to servers that answer with recorded bytes. SuperLink 1.42.0 gave them to curl
//! (`curl -si -X POST -H 'content-type: application/protobuf' …`) and to our SuperNode.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flwr_core::refusal::Code;
use flwr_proto as proto;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::{Nobody, SuperLinkLine};
use super::*;
use crate::channel::{Carrier, Channel, Route, Trust, channel};
use crate::signer::Signer;

mod carriers;
mod recorded;

const LIST_RUNS: &str = "/flwr.proto.Control/ListRuns";
const STOP_RUN: &str = "/flwr.proto.Control/StopRun";
const STREAM_LOGS: &str = "/flwr.proto.Control/StreamLogs";

/// The answer to the first bytes of HTTP/2.
const NOT_HTTP2: &[u8] = b"HTTP/1.1 400 Bad Request\r\ndate: Thu, 26 Nov 2026 17:08:36 GMT\r\nserver: uvicorn\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\nconnection: close\r\n\r\nInvalid HTTP request received.";
/// `ListNodes` at a SuperLink without nodes: the time.
const NODES: &[u8] = b"HTTP/1.1 200 OK\r\ndate: Thu, 26 Nov 2026 17:08:28 GMT\r\nserver: uvicorn\r\ncontent-length: 34\r\ncontent-type: application/protobuf\r\n\r\n\x12\x202026-11-26T17:08:28.916629+00:00";
/// `StopRun` of a run that does not exist.
const NO_RUN: &[u8] = b"HTTP/1.1 404 Not Found\r\ndate: Thu, 26 Nov 2026 17:08:28 GMT\r\nserver: uvicorn\r\ncontent-length: 40\r\ncontent-type: application/json\r\n\r\n{\"code\":16,\"detail\":\"Run ID not found.\"}";
/// What stands before the frames of a log.
const LOG: &[u8] = b"HTTP/1.1 200 OK\r\ndate: Thu, 26 Nov 2026 17:08:29 GMT\r\nserver: uvicorn\r\ncontent-type: application/flower-protobuf-stream\r\ntransfer-encoding: chunked\r\n\r\n";
/// The answer of a SuperLink with accounts to a call without a good token.
const NO_ACCOUNT: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer\r\ncontent-length: 30\r\ncontent-type: application/json\r\n\r\n{\"detail\":\"Not authenticated\"}";
/// New tokens: `A2` and `R2`.
const TOKENS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\ncontent-type: application/protobuf\r\ncache-control: no-store\r\n\r\n\x0a\x02A2\x12\x02R2";

/// A server that answers each request, by its head, with bytes. A connection serves one request.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let head = head(&mut tcp).await;
                skip_body(&mut tcp, &head).await;
                record.lock().push(head.clone());
                let _ = tcp.write_all(&answer(&head)).await;
                let _ = tcp.shutdown().await;
            }
        });
        Self { port, heard }
    }

    fn channel(&self) -> Channel {
        channel(("127.0.0.1", self.port), &Trust::Plaintext, &Route::Direct)
    }

    fn line<P: Proof>(&self, proof: P) -> HttpLine<P> {
        HttpLine::new(self.channel().http().clone(), proof)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().clone()
    }
}

/// The head of a request, or the preface of HTTP/2.
async fn head(tcp: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match tcp.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Reads the body of a request. A socket that is closed before that breaks off its answer.
async fn skip_body(tcp: &mut TcpStream, head: &str) {
    let lengths = head.lines();
    let length = lengths.filter_map(|line| line.strip_prefix("content-length: "));
    let length = length.map(|text| text.parse().unwrap()).next();
    let mut body = vec![0; length.unwrap_or(0)];
    tcp.read_exact(&mut body).await.unwrap();
}

fn is_preface(head: &str) -> bool {
    head.starts_with("PRI ")
}

fn stop() -> proto::StopRunRequest {
    proto::StopRunRequest { run_id: 7 }
}

#[tokio::test]
async fn a_message_is_the_body_of_request_and_answer() {
    let server = Server::start(|_| NODES.to_vec()).await;
    let line = server.line(Nobody);
    let request = proto::ListNodesRequest::default();
    let answer: proto::ListNodesResponse = line
        .call("/flwr.proto.Control/ListNodes", request, None)
        .await
        .unwrap();
    assert_eq!(answer.now, "2026-11-26T17:08:28.916629+00:00");
    let heard = server.heard();
    let head = heard[0].to_ascii_lowercase();
    for part in [
        "post /v1/control/list-nodes http/1.1\r\n",
        "content-type: application/protobuf\r\n",
        "accept: application/protobuf\r\n",
        "content-length: 0\r\n",
        &format!("host: 127.0.0.1:{}\r\n", server.port),
    ] {
        assert!(head.contains(part), "{part}: {head}");
    }
}

#[tokio::test]
async fn a_refusal_has_upstreams_number() {
    let server = Server::start(|_| NO_RUN.to_vec()).await;
    let answer: Result<proto::StopRunResponse> =
        server.line(Nobody).call(STOP_RUN, stop(), None).await;
    match answer.unwrap_err() {
        Failure::Answered(refused) => {
            assert_eq!(refused.code, Some(Code::RunIdNotFound));
            assert_eq!(refused.text, "Run ID not found.");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_no_superlink_gives_is_a_proxys() {
    for (answer, said) in [
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            "502 Bad Gateway in place of the SuperLink",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n",
            "does not pass calls on",
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://login.example/\r\ncontent-length: 0\r\n\r\n",
            "leads to https://login.example/",
        ),
    ] {
        let server = Server::start(|_| answer.as_bytes().to_vec()).await;
        let failed: Result<proto::StopRunResponse> =
            server.line(Nobody).call(STOP_RUN, stop(), None).await;
        let failure = failed.unwrap_err();
        assert!(failure.to_string().contains(said), "{failure}");
        assert!(crate::channel::proxied(&failure).is_some());
    }
}

#[tokio::test]
async fn a_node_signs_under_the_names_of_http() {
    let server = Server::start(|_| NO_RUN.to_vec()).await;
    let key = flwr_security::key::PrivateKey::generate().unwrap();
    let line = server.line(Signer::new(key, time::OffsetDateTime::now_utc));
    let _: Result<proto::StopRunResponse> = line.call(STOP_RUN, stop(), None).await;
    let head = server.heard()[0].to_ascii_lowercase();
    for name in ["flwr-public-key", "flwr-timestamp", "flwr-signature"] {
        assert!(head.contains(&format!("\r\n{name}: ")), "{head}");
    }
    assert!(!head.contains("-bin: "), "{head}");
}

/// The answer to a log, cut into chunks of so many bytes.
fn log(frames: &[u8], size: usize) -> Vec<u8> {
    let mut answer = LOG.to_vec();
    for piece in frames.chunks(size) {
        answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer
}

const FRAMES: &[u8] = b"\0\0\0\x05\x0a\x03one\0\0\0\x05\x0a\x03two";

async fn lines(server: &Server) -> (Vec<String>, Option<Failure>) {
    let request = proto::StreamLogsRequest::default();
    let limit = Some(Duration::from_secs(30));
    let line = server.line(Nobody);
    let answers = line.stream(STREAM_LOGS, request, limit).await;
    let mut answers: Answers<proto::StreamLogsResponse> = answers.unwrap();
    let mut read = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(answer) => read.push(answer.log_output),
            Err(failure) => return (read, Some(failure)),
        }
    }
    (read, None)
}

#[tokio::test]
async fn the_frames_of_a_stream_are_read_however_they_are_cut() {
    for size in [1, 4, 7, FRAMES.len()] {
        let server = Server::start(move |_| [&log(FRAMES, size)[..], b"0\r\n\r\n"].concat()).await;
        let (read, failure) = lines(&server).await;
        assert_eq!((read, failure), (vec!["one".into(), "two".into()], None));
        let head = server.heard()[0].to_ascii_lowercase();
        assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
        assert!(
            head.contains("accept: application/flower-protobuf-stream\r\n"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_a_failure() {
    for end in [&b""[..], b"0\r\n\r\n"] {
        let cut = &FRAMES[..FRAMES.len() - 2];
        let server = Server::start(move |_| [&log(cut, 5)[..], end].concat()).await;
        let (read, failure) = lines(&server).await;
        assert_eq!(read, ["one"]);
        assert_eq!(failure.unwrap().silence(), Some(Silence::Connection));
    }
}

#[tokio::test]
async fn a_call_without_an_answer_ends_with_its_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let channel = channel(("127.0.0.1", port), &Trust::Plaintext, &Route::Direct);
    let line = HttpLine::new(channel.http().clone(), Nobody);
    let limit = Some(Duration::from_millis(20));
    let answer: Result<proto::StopRunResponse> = line.call(STOP_RUN, stop(), limit).await;
    let failure = answer.unwrap_err();
    assert_eq!(failure.silence(), Some(Silence::Late));
    assert!(failure.is_passing(), "{failure}");
}

/// An account with tokens that are good for nothing.
#[derive(Clone, Default)]
struct Expired(Arc<Mutex<Option<Tokens>>>);

impl Proof for Expired {
    const RENEWS: bool = true;

    fn prove(&self, _: &mut HeaderMap) -> Result<()> {
        Ok(())
    }

    fn prove_over_http(&self, headers: &mut HeaderMap) -> Result<()> {
        let tokens = self.0.lock();
        let access = tokens.as_ref().map_or("A1", |tokens| &tokens.access);
        let bearer = format!("Bearer {access}");
        headers.insert(http::header::AUTHORIZATION, bearer.parse().unwrap());
        Ok(())
    }

    fn refresh_token(&self) -> Option<String> {
        Some("R1".to_owned())
    }

    fn refreshed(&self, tokens: Tokens) {
        *self.0.lock() = Some(tokens);
    }
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_the_refresh_token_is_in_no_header() {
    let server = Server::start(|head| {
        let is_refresh = head.starts_with("POST /v1/control/refresh-auth-tokens ");
        match head.contains("Bearer A2") {
            true => NO_RUN.to_vec(),
            false if is_refresh => TOKENS.to_vec(),
            false => NO_ACCOUNT.to_vec(),
        }
    })
    .await;
    let account = Expired::default();
    let line = server.line(account.clone());
    let answer: Result<proto::StopRunResponse> = line.call(STOP_RUN, stop(), None).await;
    assert_eq!(answer.unwrap_err().to_string(), "Run ID not found.");
    let (access, refresh) = ("A2".to_owned(), "R2".to_owned());
    assert_eq!(*account.0.lock(), Some(Tokens { access, refresh }));
    let heard = server.heard();
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(heard[1].contains("/refresh-auth-tokens "), "{heard:?}");
    assert!(heard.iter().all(|head| !head.contains("R1")), "{heard:?}");
    let server = Server::start(|_| NO_ACCOUNT.to_vec()).await;
    let line = server.line(Expired::default());
    let answer: Result<proto::StopRunResponse> = line.call(STOP_RUN, stop(), None).await;
    assert_eq!(answer.unwrap_err().class(), Some(Class::Unauthenticated));
    assert_eq!(server.heard().len(), 2, "one call, and one for new tokens");
}
