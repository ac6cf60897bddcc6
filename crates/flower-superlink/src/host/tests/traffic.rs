//! The bytes that a run's nodes push and pull are counted, and those of its ServerApp are not.

use flwr_core::id::RunId;
use flwr_core::message::{Body as MessageBody, Message as CoreMessage, Metadata, Parcel};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree, Pulled};
use flwr_core::port::Fleet;
use flwr_security::key::PrivateKey;
use flwr_security::signature;

use super::*;
use crate::link::state::Traffic;

/// A node's session, as each of its calls opens it.
pub(super) async fn session(host: &Host, key: &PrivateKey) -> FleetSession {
    let headers = signature::sign(key, OffsetDateTime::now_utc()).unwrap();
    let head = Head {
        patience: Duration::ZERO,
        peer: None,
        release: None,
    };
    let session = host.admit(NodeProof::Signature(headers), &head).await;
    session.unwrap()
}

/// What a run says of an instruction to the node that was made at this time.
pub(super) fn instruction_to(run: RunId, node: NodeId, created_at: Timestamp) -> Metadata {
    Metadata {
        run,
        id: ObjectId::of(b""),
        src: NodeId::SUPERLINK,
        dst: node,
        reply_to: None,
        group: String::new(),
        ttl: 600.0,
        message_type: "train".to_owned(),
        created_at,
    }
}

/// A message with content, and its two objects, children first.
pub(super) fn mail(metadata: Metadata, content: &[u8]) -> (Parcel, [Object; 2]) {
    let record = Object::new(Kind::RecordDict, &[], content);
    let message = CoreMessage {
        metadata,
        body: MessageBody::Content,
    };
    let (parcel, object) = message.announced(Some(ObjectTree::leaf(record.id)));
    (parcel, [record, object])
}

fn bytes(objects: &[Object]) -> u64 {
    objects.iter().map(|object| object.bytes.len() as u64).sum()
}

#[tokio::test]
async fn the_traffic_of_a_run_is_that_of_its_nodes() {
    let host = host(link(MemoryState::default()), Policy::AnyKey, None);
    let (link, key) = (host.link(), PrivateKey::generate().unwrap());
    let node = session(&host, &key).await.join(30.0).await.unwrap();
    let node_session = session(&host, &key).await;
    let app = ("a/b".to_owned(), "1.0.0".to_owned());
    let run = link.start_run_of_a_stranger(app, None, Default::default());
    let run = run.await.unwrap();
    let metadata = instruction_to(run, node, link.now());

    let (instruction, asked) = mail(metadata.clone(), b"a model");
    link.send(run, vec![instruction.clone()]).await.unwrap();
    for Object { id, bytes } in asked.clone() {
        assert!(link.push_object(run, id, bytes).await.unwrap());
    }
    let nothing = Traffic::default();
    assert_eq!(link.traffic(run).await.unwrap(), nothing, "of no node");

    let pulled = node_session.pull(Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(pulled, instruction);
    for object in &asked {
        let pulled = node_session.pull_object(run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    let reply = Metadata {
        src: node,
        dst: NodeId::SUPERLINK,
        reply_to: Some(instruction.message.metadata.id),
        ..metadata
    };
    let (reply, told) = mail(reply, b"another model, which is longer");
    let worked = Duration::from_millis(1500);
    let missing = node_session.push(reply, Some(worked)).await;
    let missing = missing.unwrap().unwrap();
    assert_eq!(missing.len(), 2);
    let stray = Object::new(Kind::RecordDict, &[], b"stray");
    let stray = node_session.push_object(run, stray.id, stray.bytes);
    assert!(!stray.await.unwrap(), "nobody waits for it");
    for Object { id, bytes } in told.clone() {
        assert!(node_session.push_object(run, id, bytes).await.unwrap());
    }
    let exchanged = Traffic {
        received: bytes(&told),
        sent: bytes(&asked),
        worked,
    };
    assert_eq!(link.traffic(run).await.unwrap(), exchanged);
}
