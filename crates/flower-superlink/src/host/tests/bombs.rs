//! Messages that would fill the memory for a node that wants them in one piece.

use flwr_core::message::{Body as MessageBody, ErrorCode};
use flwr_core::object::{Kind, Object, ObjectTree};

use super::wires::Node;
use super::*;

/// A RecordDict with one array, which names its chunk of 1 MiB 40,000 times: 42 GB in one piece.
fn bomb() -> (ObjectTree, Vec<Object>) {
    let chunk = Object::new(Kind::ArrayChunk, &[], &vec![0; 1 << 20]);
    let chunks = vec!["0"; 40_000].join(", ");
    let body = format!(
        "{{\"dtype\": \"\", \"shape\": [], \"stype\": \"own\", \"arraychunk_ids\": [{chunks}]}}"
    );
    let array = Object::new(Kind::Array, &[chunk.id], body.as_bytes());
    let parent = |kind, child: &Object| {
        let body = format!("{{\"a\": \"{}\"}}", child.id);
        Object::new(kind, &[child.id], body.as_bytes())
    };
    let record = parent(Kind::ArrayRecord, &array);
    let dict = parent(Kind::RecordDict, &record);
    let objects = vec![chunk, array, record, dict];
    let leaf = ObjectTree::leaf(objects[0].id);
    let tree = objects[1..].iter().fold(leaf, |tree, object| ObjectTree {
        id: object.id,
        children: vec![tree],
    });
    (tree, objects)
}

#[tokio::test]
async fn an_array_that_names_a_chunk_40_000_times_is_an_error_reply_for_an_older_node() {
    let node = Node::new().await;
    node.ping().await;
    let (tree, objects) = bomb();
    let (run, instruction) = node.send(MessageBody::Content, Some(tree), objects).await;
    assert!(node.pull().await.messages_list.is_empty());
    let link = node.host.link();
    let replies = link
        .replies(run, &[Some(instruction)], Duration::ZERO)
        .await;
    let reply = replies.unwrap().remove(0).message;
    let MessageBody::Error { code, reason } = reply.body else {
        panic!("{reply:?}");
    };
    assert_eq!(code, ErrorCode::MessageUnavailable as i64);
    assert!(reason.contains("larger than 1.9 GiB"), "{reason}");
    // The node goes on.
    node.instruct().await;
    assert_eq!(node.pull().await.messages_list.len(), 1);
}
