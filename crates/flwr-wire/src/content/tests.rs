use prost::Message;

use super::*;

fn push(content: &[u8]) -> proto::PushObjectRequest {
    proto::PushObjectRequest {
        node: Some(proto::Node::default()),
        run_id: 7,
        object_id: "a".repeat(64),
        object_content: Bytes::copy_from_slice(content),
        session_id: "session".to_owned(),
    }
}

fn pull(content: &[u8]) -> proto::PullObjectResponse {
    proto::PullObjectResponse {
        object_found: true,
        object_available: true,
        object_content: Bytes::copy_from_slice(content),
    }
}

#[test]
fn a_message_and_its_content_are_the_message_on_the_wire() {
    let model = vec![7; LEAST_BYTES];
    let mut request = push(&model);
    let content = Content::take(&mut request).unwrap();
    assert!(request.object_content.is_empty());
    let wire = [request.encode_to_vec(), content.key().into(), model].concat();
    let read = proto::PushObjectRequest::decode(wire.as_slice()).unwrap();
    Content::put(&mut request, content.into_bytes());
    assert_eq!(read, request);
}

#[test]
fn small_contents_and_other_messages_stay_whole() {
    let mut answer = pull(&vec![7; LEAST_BYTES - 1]);
    assert!(Content::take(&mut answer).is_none());
    assert_eq!(answer.object_content.len(), LEAST_BYTES - 1);
    assert!(Content::take(&mut proto::GetRunResponse::default()).is_none());
}

#[test]
fn a_content_is_found_as_soon_as_its_length_is_there() {
    let wire = push(&vec![7; LEAST_BYTES]).encode_to_vec();
    let length = wire.len();
    let begin = wire.windows(4).position(|at| at == [7; 4]).unwrap();
    for end in 0..begin {
        let found = find::<proto::PushObjectRequest>(&wire[..end], length);
        assert_eq!(found, Found::Unknown, "{end}");
    }
    let Found::At(place) = find::<proto::PushObjectRequest>(&wire[..begin], length) else {
        panic!("no content in {begin} bytes");
    };
    assert_eq!(place.before + place.key, begin);
    assert_eq!(place.length, LEAST_BYTES);
}

#[test]
fn lies_about_lengths_are_left_to_who_reads_the_message() {
    let wire = pull(&vec![7; LEAST_BYTES]).encode_to_vec();
    let shorter = wire.len() - 1;
    let found = find::<proto::PullObjectResponse>(&wire, shorter);
    assert_eq!(found, Found::Nothing);
    // Another field that is as long as a content; a group; a text that never ends.
    let mut other = vec![0x2a];
    encode_varint(LEAST_BYTES as u64, &mut other);
    let mut endless = vec![0x2a];
    encode_varint(60_000, &mut endless);
    endless.resize(MOST_BEFORE, 0);
    for odd in [other, vec![0x2b], endless] {
        let found = find::<proto::PullObjectResponse>(&odd, 1 << 20);
        assert_eq!(found, Found::Nothing, "{:?}", &odd[..1]);
    }
}

#[test]
fn messages_without_a_content_have_none() {
    let wire = pull(&vec![7; LEAST_BYTES]).encode_to_vec();
    let found = find::<proto::GetRunResponse>(&wire, wire.len());
    assert_eq!(found, Found::Nothing);
    let found = find::<proto::PullObjectResponse>(&[], LEAST_BYTES - 1);
    assert_eq!(found, Found::Nothing);
}
