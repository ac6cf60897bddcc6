//! What is refused before it is read.

use flwr_security::key::PrivateKey;
use flwr_wire::generations::v1_08_taskins::{PUBLIC_KEY_HEADER, public_key_text};
use futures::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::taskins;
use super::wires::signed;
use super::*;

/// A call that announces so many bytes, and sends none of them.
fn announced(method: &str, headers: HeaderMap, length: u32) -> Request<Body> {
    let mut head = BytesMut::new();
    head.put_u8(0);
    head.put_u32(length);
    let head = Ok::<_, Infallible>(Frame::data(head.freeze()));
    let frames = stream::iter([head]).chain(stream::pending());
    let body = Body::new(StreamBody::new(frames));
    let path = format!("/flwr.proto.Fleet/{method}");
    let mut request = Request::post(path).body(body).unwrap();
    *request.headers_mut() = headers;
    request
}

async fn refused(host: &Host, request: Request<Body>) -> Code {
    let mut door = FleetDoor::new(host.clone());
    Answered::of(door.call(request).await.unwrap()).await.code
}

#[tokio::test]
async fn a_call_that_carries_no_content_has_64_kib() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let key = PrivateKey::generate().unwrap();
    for (method, length) in [("CreateNode", (64 << 10) + 1), ("CreateNode", u32::MAX)] {
        let code = refused(&host, announced(method, signed(&key), length)).await;
        assert_eq!(code, Code::ResourceExhausted, "{method} {length}");
    }
    // A node of flwr 1.8 without a key.
    let code = refused(&host, announced("Ping", HeaderMap::new(), 65_537)).await;
    assert_eq!(code, Code::ResourceExhausted);
}

#[tokio::test]
async fn the_list_of_keys_is_asked_before_an_older_body_is_read() {
    let (host, _dir) = taskins::host().await;
    let stranger = PrivateKey::generate().unwrap();
    let mut headers = HeaderMap::new();
    assert_eq!(
        refused(&host, announced("PushTaskRes", headers.clone(), 1 << 30)).await,
        Code::Unauthenticated
    );
    let shown = public_key_text(stranger.public_key()).parse().unwrap();
    headers.insert(PUBLIC_KEY_HEADER, shown);
    assert_eq!(
        refused(&host, announced("PushTaskRes", headers, 1 << 30)).await,
        Code::Unauthenticated
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_of_one_peer_leave_room_for_others() {
    let host = Host::new(Parts {
        in_flight: InFlight::new(64 << 20),
        ..parts(link(MemoryState::default()), Policy::AnyKey, None)
    });
    let push = || announced("PushTaskRes", HeaderMap::new(), 20 << 20);
    // The second waits for the room of the first, whose bytes do not come.
    let (first, second) = tokio::join!(refused(&host, push()), refused(&host, push()));
    assert_eq!([first, second], [Code::Unavailable; 2]);
    let code = refused(&host, announced("PushTaskRes", HeaderMap::new(), 33 << 20)).await;
    assert_eq!(code, Code::ResourceExhausted);
}

#[tokio::test]
async fn a_reply_of_many_empty_arrays_is_refused_before_it_is_decoded() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    // Tasks of two bytes: each takes 300 in memory.
    let body = [0x0a, 0].repeat(9 << 20).into();
    let answer = call(&host, "PushTaskRes", HeaderMap::new(), body).await;
    assert_eq!(answer.code, Code::InvalidArgument);
    assert!(
        answer.text.contains("more than 8388608 parts"),
        "{}",
        answer.text
    );
}
