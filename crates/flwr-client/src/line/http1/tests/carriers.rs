//! Which carrier a SuperLink speaks, and what tells that it is another one now.

use super::*;

/// The answer to a peer of a release that the SuperLink does not serve.
const OTHER_RELEASE: &[u8] = b"HTTP/1.1 412 Precondition Failed\r\nserver: uvicorn\r\ncontent-length: 172\r\ncontent-type: application/json\r\n\r\n{\"code\":1001,\"detail\":\"Runtime version compatibility check failed.\",\"extra\":\"Peer Flower package name is not recognized: 'flower'. Its words are for people, and not read.\"}";
/// The answer of a SuperLink of ours of commit 34a79ff, which speaks gRPC alone.
const GRPC_ALONE: &[u8] = b"HTTP/1.1 412 Precondition Failed\r\nContent-Type: application/json\r\nContent-Length: 75\r\nConnection: close\r\n\r\n{\"code\":1001,\"detail\":\"this port speaks gRPC over HTTP/2, not HTTP/1: ...\"}";
/// What gRPC servers say first: an empty SETTINGS frame.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// How a SuperLink at this line answers a call.
async fn asked(line: &SuperLinkLine<Nobody>) -> String {
    let request = proto::ListRunsRequest::default();
    let answer: Result<proto::ListRunsResponse> = line.call(LIST_RUNS, request, None).await;
    answer.unwrap_err().to_string()
}

#[tokio::test]
async fn the_first_bytes_tell_that_a_superlink_speaks_http_and_are_remembered() {
    let server = Server::start(|head| match is_preface(head) {
        true => NOT_HTTP2.to_vec(),
        false => NO_RUN.to_vec(),
    })
    .await;
    let channel = server.channel();
    let line = SuperLinkLine::new(channel.clone(), Nobody);
    assert_eq!(line.carrier(), Carrier::Grpc);
    assert_eq!(asked(&line).await, "Run ID not found.");
    assert_eq!(line.carrier(), Carrier::Http);
    assert_eq!(asked(&line).await, "Run ID not found.");
    let other = SuperLinkLine::new(channel, Nobody);
    assert_eq!(asked(&other).await, "Run ID not found.");
    let prefaces = server
        .heard()
        .iter()
        .filter(|head| is_preface(head))
        .count();
    assert_eq!((prefaces, server.heard().len()), (1, 4));
}

#[tokio::test]
async fn a_web_server_that_is_no_superlink_is_told_as_before() {
    let page = b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(|_| page.to_vec()).await;
    let line = SuperLinkLine::new(server.channel(), Nobody);
    let request = proto::ListRunsRequest::default();
    let answer: Result<proto::ListRunsResponse> = line.call(LIST_RUNS, request, None).await;
    let failure = answer.unwrap_err();
    let told = crate::channel::connect_error(&failure).unwrap().to_string();
    assert!(
        told.contains("answered in HTTP/1 (HTTP/1.1 404 Not Found)"),
        "{told}"
    );
    assert_eq!(line.carrier(), Carrier::Grpc);
}

#[tokio::test]
async fn a_superlink_that_speaks_grpc_now_is_found_out_again() {
    let turned = Arc::new(AtomicBool::new(false));
    let is_grpc = Arc::clone(&turned);
    let server =
        Server::start(
            move |head| match (is_grpc.load(Ordering::Relaxed), is_preface(head)) {
                (true, _) => SETTINGS.to_vec(),
                (false, true) => NOT_HTTP2.to_vec(),
                (false, false) => NO_RUN.to_vec(),
            },
        )
        .await;
    let line = SuperLinkLine::new(server.channel(), Nobody);
    assert_eq!(asked(&line).await, "Run ID not found.");
    assert_eq!(line.carrier(), Carrier::Http);
    turned.store(true, Ordering::Relaxed);
    // This server does no more than to say that it speaks HTTP/2.
    let _ = asked(&line).await;
    assert_eq!(line.carrier(), Carrier::Grpc);
    assert!(is_preface(server.heard().last().unwrap()));
}

/// What is heard of a SuperLink that spoke HTTP/1.1 and then answers with these bytes, and over which
/// carrier it is called from then on.
async fn after_http(answer: &'static [u8]) -> (String, Carrier) {
    let turned = Arc::new(AtomicBool::new(false));
    let is_other = Arc::clone(&turned);
    let server =
        Server::start(
            move |head| match (is_preface(head), is_other.load(Ordering::Relaxed)) {
                (true, false) => NOT_HTTP2.to_vec(),
                (true, true) => SETTINGS.to_vec(),
                (false, false) => NO_RUN.to_vec(),
                (false, true) => answer.to_vec(),
            },
        )
        .await;
    let line = SuperLinkLine::new(server.channel(), Nobody);
    assert_eq!(asked(&line).await, "Run ID not found.");
    assert_eq!(line.carrier(), Carrier::Http);
    turned.store(true, Ordering::Relaxed);
    (asked(&line).await, line.carrier())
}

#[tokio::test]
async fn a_conflict_of_releases_is_told_and_is_no_sign_of_grpc() {
    let (told, carrier) = after_http(OTHER_RELEASE).await;
    assert!(told.contains("is not recognized: 'flower'"), "{told}");
    assert_eq!(carrier, Carrier::Http);
}

#[tokio::test]
async fn a_superlink_of_ours_that_speaks_grpc_alone_is_called_over_grpc() {
    let (_, carrier) = after_http(GRPC_ALONE).await;
    assert_eq!(carrier, Carrier::Grpc);
}
