//! Against messages that flwr 1.20.0, 1.21.0 and 1.22.0 made (all three alike).

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_758_000_001.0);
/// An instruction on the wire: run 1234567890123456789, to node 9876543210987654321.
const INSTRUCTION: &str = "0a75089582a6efc79e849111124031313063663964633136643032623934303034346363333466613235336264626137353937653136373534613737323739353534663138616261366162663834180120b199dc9d8ef7a188890132013139000000000018e5404205747261696e49000010e03c32da411200";
const INSTRUCTION_ID: &str = "110cf9dc16d02b940044cc34fa253bdba7597e16754a77279554f18aba6abf84";
/// Its RecordDict.
const CONTENT_ID: &str = "3ebb1cad33a934f176e8603e0b65c9238533c94f0f72f62d0029498f6294ed38";

fn wire() -> proto::Message {
    proto::Message::decode(&hex::decode(INSTRUCTION).unwrap()[..]).unwrap()
}

fn instruction() -> Message {
    Message::instruction(wire(), NOW).unwrap()
}

#[test]
fn an_instruction_from_flwr_is_read_and_written_byte_for_byte() {
    let message = instruction();
    assert_eq!(message.metadata.run, RunId(1_234_567_890_123_456_789));
    assert_eq!(message.metadata.dst, NodeId(9_876_543_210_987_654_321));
    assert_eq!(message.metadata.id.to_string(), INSTRUCTION_ID);
    assert_eq!(
        hex::encode(proto::Message::from(message).encode_to_vec()),
        INSTRUCTION
    );
}

#[test]
fn a_message_has_the_id_that_flwr_gives_it() {
    let object = instruction().object(Some(CONTENT_ID.parse().unwrap()));
    assert_eq!(object.id.to_string(), INSTRUCTION_ID);
}

#[test]
fn an_error_reply_is_the_object_that_flwr_makes() {
    let instruction = instruction().metadata;
    let (reply, object) = Message::error_reply(
        &instruction,
        instruction.dst,
        ErrorCode::ClientAppRaised,
        "<class 'ZeroDivisionError'>:<'division by zero'>",
        Timestamp::from_secs(1_758_000_010.5),
    );
    assert_eq!(
        object.id.to_string(),
        "4588c5bb03d29d6eb24c38b831c66ecc2d3236f56897a6d62cb09ab563398dc0"
    );
    assert_eq!(reply.metadata.id, object.id);

    let (unknown, _) = Message::error_reply(
        &instruction,
        instruction.dst,
        ErrorCode::Unknown,
        "",
        Timestamp::from_secs(1_758_000_010.5),
    );
    assert_eq!(
        unknown.metadata.id.to_string(),
        "24ac8a20bb07eb511925ed1037f8a0aaa5d68dbf13f5c718467ef14c9df05a18"
    );
}

#[test]
fn every_broken_rule_is_told() {
    let broken = proto::Message {
        metadata: Some(proto::Metadata {
            reply_to_message_id: "x".into(),
            ..Default::default()
        }),
        content: None,
        error: None,
    };
    assert_eq!(
        Message::instruction(broken, NOW).unwrap_err().0,
        [
            Flaw::NoId,
            Flaw::CreatedTooEarly,
            Flaw::NoTtl,
            Flaw::Expired,
            Flaw::NoSource,
            Flaw::NoDestination,
            Flaw::NoType,
            Flaw::NotOneBody,
            Flaw::MalformedId {
                field: "metadata.reply_to_message_id",
                id: "x".into()
            },
        ]
    );
}

#[test]
fn an_instruction_is_no_reply() {
    assert_eq!(
        Message::reply(wire()).unwrap_err().0,
        [
            Flaw::ReplyToNothing,
            Flaw::ReplyFromSuperLink,
            Flaw::ReplyToNode
        ]
    );
}

#[test]
fn an_answer_of_the_superlink_is_read_though_it_is_no_nodes() {
    let asked = instruction().metadata;
    for asked_for in [Some(asked.id), None] {
        let (unknown, _) = Message::unavailable(asked.run, asked_for, "gone", NOW);
        let answer = proto::Message::from(unknown.clone());
        assert_eq!(Message::answer(answer.clone()), Ok(unknown));
        assert!(Message::reply(answer).is_err());
    }
    let no_answer = Message::answer(wire()).unwrap_err().0;
    assert_eq!(no_answer, [Flaw::ReplyToNothing, Flaw::ReplyToNode]);
}

#[test]
fn a_clock_that_tells_no_time_breaks_the_rules() {
    let mut message = wire();
    let metadata = message.metadata.as_mut().unwrap();
    (metadata.created_at, metadata.ttl) = (f64::NAN, f64::NAN);
    assert_eq!(
        Message::instruction(message, NOW).unwrap_err().0,
        [Flaw::CreatedTooEarly, Flaw::NoTtl, Flaw::Expired]
    );
}

#[test]
fn message_types_are_an_action_and_perhaps_a_name() {
    let check = |message_type: &str| {
        let mut message = wire();
        message.metadata.as_mut().unwrap().message_type = message_type.to_owned();
        Message::instruction(message, NOW).is_ok()
    };
    for good in [
        "train",
        "evaluate",
        "query",
        "system",
        "train.mine",
        "query._x1",
        "reconnect",
    ] {
        assert!(check(good), "{good}");
    }
    for bad in [
        "",
        "fit",
        "train.",
        "train.a.b",
        "train.1",
        ".x",
        "reconnect.x",
    ] {
        assert!(!check(bad), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = proto::Message::decode(&bytes[..]) {
            let _ = Message::instruction(message.clone(), NOW);
            let _ = Message::reply(message);
        }
    }
}
