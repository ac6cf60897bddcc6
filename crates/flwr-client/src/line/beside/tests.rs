use std::convert::Infallible;

use flwr_proto::{PullObjectRequest, PullObjectResponse, PushObjectRequest, PushObjectResponse};
use flwr_wire::content::LEAST_BYTES;
use futures::stream;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tonic::Status;
use tonic_prost::prost::Message;
use tower::service_fn;

use super::*;
use crate::line::{GrpcLine, Line, Nobody, Result};

const PULL: &str = "/flwr.proto.Fleet/PullObject";
const PUSH: &str = "/flwr.proto.Fleet/PushObject";

/// Answers with this message, which comes in parts of so many bytes, and with this status.
fn answering(message: Vec<u8>, at_once: usize, status: &'static str) -> impl Carries {
    service_fn(move |_: Request<Body>| {
        let parts: Vec<_> = message.chunks(at_once).map(<[u8]>::to_vec).collect();
        let data = parts.into_iter().map(|part| Frame::data(Bytes::from(part)));
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        trailers.insert("grpc-message", HeaderValue::from_static("told"));
        let frames = data.chain([Frame::trailers(trailers)]);
        let frames: Vec<_> = frames.map(Ok::<_, Infallible>).collect();
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        async move { Ok::<_, Status>(Response::new(body)) }
    })
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

fn model(length: usize) -> Bytes {
    (0..length).map(|at| at as u8).collect()
}

async fn pulled(
    message: Vec<u8>,
    at_once: usize,
    status: &'static str,
    room: Room,
) -> Result<PullObjectResponse> {
    let line = GrpcLine::new(answering(message, at_once, status), Nobody).with_room(room);
    line.call(PULL, PullObjectRequest::default(), None).await
}

#[tokio::test]
async fn an_object_arrives_however_its_answer_is_cut() {
    for length in [0, 7, LEAST_BYTES - 1, LEAST_BYTES, 300_000] {
        let answer = PullObjectResponse {
            object_found: true,
            object_available: true,
            object_content: model(length),
        };
        let framed = framed(&answer.encode_to_vec());
        for at_once in [1, 3, 5, 16, 1 << 14, usize::MAX] {
            for room in [Room::Own, Room::Shared] {
                let read = pulled(framed.clone(), at_once, "0", room).await.unwrap();
                assert!(read == answer, "{length} bytes, {at_once} at once");
                let is_shared = room == Room::Shared && length >= LEAST_BYTES;
                let file = flwr_shm::file_of(&read.object_content);
                assert_eq!(file.is_some(), is_shared, "{length}");
            }
        }
    }
}

#[tokio::test]
async fn fields_after_the_content_are_read_too() {
    let content = model(LEAST_BYTES);
    let only = PullObjectResponse {
        object_content: content.clone(),
        ..PullObjectResponse::default()
    };
    let others = PullObjectResponse {
        object_found: true,
        object_available: true,
        ..PullObjectResponse::default()
    };
    let message = [only.encode_to_vec(), others.encode_to_vec()].concat();
    let read = pulled(framed(&message), 1000, "0", Room::Own)
        .await
        .unwrap();
    assert!(read.object_found && read.object_available);
    assert_eq!(read.object_content, content);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_object() {
    let answer = PullObjectResponse {
        object_found: true,
        object_available: true,
        object_content: model(LEAST_BYTES),
    };
    let framed = framed(&answer.encode_to_vec());
    for length in [0, 3, 5, 9, 12, 1000, framed.len() - 1] {
        for status in ["0", "14"] {
            let cut = framed[..length].to_vec();
            let read = pulled(cut, 700, status, Room::Shared).await;
            let failure = read.expect_err("a part of an object").to_string();
            if status == "14" && length > 12 {
                assert!(failure.contains("told"), "{failure}");
            }
        }
    }
}

#[tokio::test]
async fn a_failure_without_an_answer_is_told() {
    let failure = pulled(Vec::new(), 1, "5", Room::Own).await.unwrap_err();
    assert!(failure.to_string().contains("told"), "{failure}");
}

#[tokio::test]
async fn a_content_follows_its_message() {
    for length in [0, LEAST_BYTES, 3 << 20] {
        let request = PushObjectRequest {
            run_id: 7,
            object_content: model(length),
            session_id: "session".to_owned(),
            ..PushObjectRequest::default()
        };
        let expected = request.clone();
        let service = service_fn(move |received: Request<Body>| {
            let expected = expected.clone();
            async move {
                let body = received.into_body().collect().await.unwrap().to_bytes();
                let (prefix, message) = body.split_at(5);
                let announced = u32::from_be_bytes(prefix[1..].try_into().unwrap());
                assert_eq!(announced as usize, message.len());
                assert!(PushObjectRequest::decode(message).unwrap() == expected);
                let stored = PushObjectResponse { stored: true }.encode_to_vec();
                answering(framed(&stored), 100, "0")
                    .call(Request::new(Body::empty()))
                    .await
            }
        });
        let line = GrpcLine::new(service, Nobody);
        let answer: PushObjectResponse = line.call(PUSH, request, None).await.unwrap();
        assert!(answer.stored, "{length}");
    }
}
