//! Answers that SuperLinks of pip's flwr 1.40.0, 1.42.0 and 1.43.0.dev20261026 gave to our SuperNode
//! without a key, in a run of one round, through a relay that wrote down the bytes (2026-11-26). Each
//! answer has the name of its method, its head line for line, and its body in hexadecimal digits.

use std::collections::{HashMap, VecDeque};

use flwr_core::object::Pulled;
use flwr_core::port::Fleet as _;
use flwr_security::key::PrivateKey;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::find::{Joining, NodeLine, joined};

const RECORDED: [(&str, &str); 3] = [
    ("1.40.0", include_str!("recorded/1.40.0.http")),
    ("1.42.0", include_str!("recorded/1.42.0.http")),
    (
        "1.43.0.dev20261026",
        include_str!("recorded/1.43.0.dev20261026.http"),
    ),
];

/// When that was, give or take some minutes: the message of the run lives for twelve hours.
const RECORDED_AT: OffsetDateTime = datetime!(2026-11-26 22:02 UTC);

/// A server that gives the recorded answers to each method, in their order.
async fn replay(recorded: &str) -> Server {
    let mut answers: HashMap<String, VecDeque<Vec<u8>>> = HashMap::new();
    let mut texts = recorded.split("\n\n");
    while let (Some(head), Some(body)) = (texts.next(), texts.next()) {
        let (method, head) = head.trim().split_once('\n').unwrap();
        let mut answer = head.replace('\n', "\r\n").into_bytes();
        answer.extend(b"\r\n\r\n");
        answer.extend(bytes(body.trim()));
        let of_method = answers.entry(method.to_owned()).or_default();
        of_method.push_back(answer);
    }
    let answers = Mutex::new(answers);
    Server::start(move |head| {
        if is_preface(head) {
            return NOT_HTTP2.to_vec();
        }
        let path = head.split(' ').nth(1).unwrap();
        let method = path.strip_prefix("/v1/fleet/").unwrap();
        let mut answers = answers.lock();
        let next = answers.get_mut(method).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| panic!("no answer to {method}"))
    })
    .await
}

fn bytes(digits: &str) -> Vec<u8> {
    let pairs = (0..digits.len()).step_by(2);
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    pairs.map(byte).collect()
}

#[tokio::test]
async fn a_node_reads_what_superlinks_of_1_40_to_1_43_answered() {
    for (release, recorded) in RECORDED {
        let server = replay(recorded).await;
        let signer = Signer::new(PrivateKey::generate().unwrap(), || RECORDED_AT);
        let line = NodeLine::new(server.channel(), signer);
        let joining = Joining {
            interval: 30.0,
            is_passing: true,
        };
        // It is no node yet, registers itself, and is activated.
        let (session, node) = joined(line.clone(), joining).await.unwrap();
        assert!(session.heartbeat(30.0).await.unwrap(), "{release}");
        let pulled = session.pull(Duration::from_secs(1)).await.unwrap();
        let parcel = pulled.unwrap_or_else(|| panic!("{release}: no message"));
        let metadata = &parcel.message.metadata;
        assert_eq!(metadata.dst, node, "{release}");
        let run = session.run(metadata.run).await.unwrap();
        assert_eq!((run.id, &*run.fab_id), (metadata.run, "tests/mean"));
        let id = parcel.tree.id;
        let object = session.pull_object(run.id, id).await.unwrap();
        assert!(matches!(object, Pulled::There(_)), "{release}");
        session.confirm(run.id, metadata.id).await.unwrap();
        // 1.43 says no more than which objects are wanted.
        let push = proto::PushMessagesRequest::default();
        let pushed: Result<proto::PushMessagesResponse> = line
            .call("/flwr.proto.Fleet/PushMessages", push, None)
            .await;
        assert!(!pushed.unwrap().objects_to_push.is_empty(), "{release}");
        let heard = server.heard();
        let signed = heard.iter().filter(|head| !is_preface(head));
        assert_eq!(signed.clone().count(), 9, "{release}");
        for head in signed {
            assert!(head.contains("flwr-signature: "), "{release}: {head}");
        }
    }
}
