//! What app processes and SuperLinks send around large objects: packets of the native channel, and messages
//! whose content is put aside.

use bytes::Bytes;
use flwr_daemon::appio;
use flwr_proto::{Node, PullObjectResponse, PushObjectRequest};
use flwr_wire::content::{Found, LEAST_BYTES, find};
use prost::Message;

pub(super) fn packet(data: &[u8]) {
    let _ = appio::is_call(Bytes::copy_from_slice(data));
}

pub(super) fn packet_seeds() -> Vec<Vec<u8>> {
    let heads = [
        r#"{"id": 1, "wire": "grpc", "path": "/flwr.proto.ClientAppIo/PullObject", "headers": [["a", "b"]]}"#,
        r#"{"id": 18446744073709551615, "wire": "http", "path": "/v1/x", "size": 20971520}"#,
    ];
    heads
        .iter()
        .map(|head| {
            let length = u32::try_from(head.len()).unwrap().to_le_bytes();
            [&length, head.as_bytes(), b"body"].concat()
        })
        .collect()
}

/// The first four bytes say how long the message is beyond what follows them.
pub(super) fn content(data: &[u8]) {
    let Some((more, beginning)) = data.split_first_chunk() else {
        return;
    };
    let more = usize::try_from(u32::from_le_bytes(*more)).unwrap();
    let length = beginning.len() + more;
    for found in [
        find::<PullObjectResponse>(beginning, length),
        find::<PushObjectRequest>(beginning, length),
    ] {
        if let Found::At(place) = found {
            let begin = place.before + place.key;
            assert!(begin <= beginning.len(), "the key has come");
            assert_eq!(begin + place.length + place.after, length);
            assert!(place.length >= LEAST_BYTES);
        }
    }
}

pub(super) fn content_seeds() -> Vec<Vec<u8>> {
    let object_content = Bytes::from(vec![7; LEAST_BYTES]);
    let push = PushObjectRequest {
        node: Some(Node::default()),
        run_id: 7,
        object_id: "a".repeat(64),
        object_content: object_content.clone(),
        session_id: "session".to_owned(),
    };
    let pull = PullObjectResponse {
        object_found: true,
        object_available: true,
        object_content,
    };
    [push.encode_to_vec(), pull.encode_to_vec()]
        .into_iter()
        .map(|message| {
            let (beginning, rest) = message.split_at(100);
            let more = u32::try_from(rest.len()).unwrap().to_le_bytes();
            [&more, beginning].concat()
        })
        .collect()
}
