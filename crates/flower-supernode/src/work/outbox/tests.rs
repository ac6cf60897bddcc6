use flwr_core::config::UserConfig;
use flwr_core::context::State;
use flwr_core::id::RunId;
use flwr_core::message::{Body, Message};
use flwr_core::object::{Kind, Object, ObjectTree};
use flwr_core::time::Timestamp;

use super::*;

const NODE: NodeId = NodeId(9);
const NOW: f64 = 1_758_000_010.0;

fn instruction() -> Metadata {
    Metadata {
        run: RunId(7),
        id: ObjectId::of(b"instruction"),
        src: NodeId::SUPERLINK,
        dst: NODE,
        reply_to: None,
        group: "1".to_owned(),
        ttl: 3600.0,
        message_type: "train".to_owned(),
        created_at: Timestamp::from_secs(1_758_000_000.0),
    }
}

/// A reply with an empty RecordDict, its tree, and its two objects.
fn reply(change: impl Fn(&mut Metadata)) -> (Message, ObjectTree, [Object; 2]) {
    let content = Object::new(Kind::RecordDict, &[], b"{}");
    let mut metadata = Metadata {
        src: NODE,
        dst: NodeId::SUPERLINK,
        reply_to: Some(instruction().id),
        created_at: Timestamp::from_secs(NOW),
        ..instruction()
    };
    change(&mut metadata);
    let message = Message {
        metadata,
        body: Body::Content,
    };
    let (parcel, object) = message.announced(Some(ObjectTree::leaf(content.id)));
    (parcel.message, parcel.tree, [object, content])
}

fn announce(
    outbox: &Outbox,
    message: &Message,
    tree: &ObjectTree,
) -> Result<Vec<ObjectId>, Refusal> {
    let reply = Parcel {
        message: message.clone(),
        tree: tree.clone(),
    };
    outbox.announce(&instruction(), NODE, reply)
}

#[tokio::test]
async fn a_reply_is_complete_with_its_last_object() {
    let outbox = Outbox::default();
    let (message, tree, [object, content]) = reply(|_| {});
    assert!(
        !outbox.put(object.id, object.bytes.clone()),
        "nothing is announced yet"
    );
    assert_eq!(announce(&outbox, &message, &tree).unwrap().len(), 2);
    assert!(outbox.put(content.id, content.bytes.clone()));
    assert_eq!(
        announce(&outbox, &message, &tree).unwrap(),
        [object.id],
        "a repeated call"
    );
    assert!(outbox.take_reply().is_none());
    assert!(outbox.put(object.id, object.bytes.clone()));
    assert!(outbox.put(object.id, object.bytes), "twice is once");
    outbox.until(|progress| progress.is_answered).await;
    let taken = outbox.take_reply().unwrap();
    assert_eq!((taken.objects.len(), taken.tree), (2, tree));
    assert!(outbox.take_reply().is_none());
}

#[tokio::test]
async fn the_context_ends_it() {
    let outbox = Outbox::default();
    let none = UserConfig::new();
    let context = Context::new((RunId(7), &none), (NODE, &none), State::default());
    outbox.finish(Some(context.clone()));
    outbox.until(|progress| progress.is_finished).await;
    assert_eq!(outbox.take_context(), Some(context));
    assert!(outbox.take_context().is_none());
}

#[test]
fn a_second_reply_is_refused() {
    let outbox = Outbox::default();
    let (message, tree, _) = reply(|_| {});
    announce(&outbox, &message, &tree).unwrap();
    let (other, other_tree, _) = reply(|metadata| metadata.group = "2".to_owned());
    let answered = Refusal::AlreadyAnswered(instruction().id);
    assert_eq!(announce(&outbox, &other, &other_tree), Err(answered));
}

#[test]
fn a_reply_to_something_else_names_the_field() {
    let refused = |change: fn(&mut Metadata)| {
        let (message, tree, _) = reply(change);
        announce(&Outbox::default(), &message, &tree)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(|m| m.run = RunId(8)).contains("is of run 8, not of run 7"));
    assert!(
        refused(|m| m.src = NodeId(10)).contains("`metadata.src_node_id` is 10; 9 is expected")
    );
    assert!(
        refused(|m| m.reply_to = Some(ObjectId::of(b"other")))
            .contains("`metadata.reply_to_message_id`")
    );
}
