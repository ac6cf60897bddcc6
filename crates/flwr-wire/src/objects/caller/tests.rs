//! Answers that SuperLinks of ours do not give, and what they mean. Those that ours give are in the
//! battery of the ports (`flower-superlink/src/host/tests/battery`).

use std::sync::Arc;

use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::ObjectTree;
use flwr_core::refusal::Failure;
use flwr_core::time::Timestamp;
use parking_lot::Mutex;

use super::*;
use crate::line::{Answers, Read, Sent};

const NOW: Timestamp = Timestamp::from_secs(1_758_000_010.0);

/// A SuperLink that gives the same answer to each call.
#[derive(Debug, Clone)]
struct Fixed {
    answer: Vec<u8>,
    /// The limit of each call.
    limits: Arc<Mutex<Vec<Option<Duration>>>>,
}

impl Line for Fixed {
    async fn call<Q: Sent, A: Read>(
        &self,
        _: &'static str,
        _: Q,
        limit: Option<Duration>,
    ) -> Result<A> {
        self.limits.lock().push(limit);
        Ok(A::decode(&*self.answer).unwrap())
    }

    async fn stream<Q: Sent, A: Read>(
        &self,
        _: &'static str,
        _: Q,
        _: Option<Duration>,
    ) -> Result<Answers<A>> {
        panic!("Fleet has no streams")
    }
}

/// A SuperLink that gives no id.
#[derive(Debug)]
struct Nowhere;

impl Entrance for Nowhere {
    async fn join<L: Line>(&self, _: &L, _: f64) -> Result<NodeId> {
        Ok(NodeId::UNSET)
    }

    async fn leave<L: Line>(&self, _: &L, _: NodeId) -> Result<()> {
        Ok(())
    }
}

/// A session at a SuperLink that answers like this.
fn answering(answer: &impl prost::Message) -> NodeCaller<Fixed, Nowhere> {
    let line = Fixed {
        answer: answer.encode_to_vec(),
        limits: Arc::default(),
    };
    NodeCaller::over(line, Arc::new(|| NOW), Nowhere)
}

fn instruction() -> (Message, ObjectTree) {
    let metadata = Metadata {
        run: RunId(7),
        id: ObjectId::of(b"instruction"),
        src: NodeId::SUPERLINK,
        dst: NodeId(9),
        reply_to: None,
        group: String::new(),
        ttl: 60.0,
        message_type: "train".to_owned(),
        created_at: NOW,
    };
    let tree = ObjectTree::leaf(metadata.id);
    let body = Body::Content;
    (Message { metadata, body }, tree)
}

/// What becomes of a reply of which the SuperLink says this.
async fn pushed(name: &str, missing: &[&str]) -> Option<Vec<ObjectId>> {
    let fleet = answering(&proto::PushMessagesResponse {
        results: [(name.to_owned(), 0)].into(),
        objects_to_push: missing.iter().map(|id| (*id).to_owned()).collect(),
        ..proto::PushMessagesResponse::default()
    });
    let (message, tree) = instruction();
    fleet.push(Parcel { message, tree }, None).await.unwrap()
}

#[tokio::test]
async fn a_reply_is_wanted_while_the_superlink_asks_for_its_objects() {
    let object = ObjectId::of(b"object");
    let (id, missing) = (instruction().1.id.to_string(), object.to_string());
    assert_eq!(pushed(&id, &[&missing]).await, Some(vec![object]));
    assert_eq!(pushed(&id, &[]).await, Some(Vec::new()));
    // pip's SuperLink, of a reply whose first try arrived.
    assert_eq!(pushed("None", &[&missing]).await, Some(vec![object]));
    assert_eq!(pushed("None", &[]).await, None);
}

#[tokio::test]
async fn a_node_without_an_id_has_not_joined() {
    let fleet = answering(&proto::PullMessagesResponse::default());
    let failure = fleet.join(30.0).await.unwrap_err();
    assert!(
        matches!(failure, Failure::Unanswered(unanswered) if unanswered.why == Silence::Broken)
    );
    assert_eq!(fleet.node(), None);
}

#[tokio::test]
async fn a_run_that_is_missing_or_unreadable_is_no_run() {
    let fleet = answering(&proto::GetRunResponse { run: None });
    let missing = fleet.run(RunId(7)).await;
    assert_eq!(missing, Err(Refusal::UnknownRun(RunId(7)).into()));
    let fleet = answering(&proto::GetRunResponse {
        run: Some(proto::Run {
            override_config: [("lr".to_owned(), proto::Scalar { scalar: None })].into(),
            ..proto::Run::default()
        }),
    });
    let unreadable = fleet.run(RunId(7)).await.unwrap_err();
    assert!(
        matches!(unreadable, Failure::Refused(Refusal::RunConfig(_))),
        "{unreadable:?}"
    );
    let fleet = answering(&proto::GetFabResponse { fab: None });
    let missing = fleet.fab(Some(RunId(7)), "abc").await;
    assert_eq!(missing, Err(Refusal::UnknownFab("abc".to_owned()).into()));
}

/// What a node gets of a message that is changed on its way.
async fn pulled(
    change: impl FnOnce(&mut proto::Message, &mut proto::ObjectTree),
) -> Result<Option<Parcel>> {
    let (message, tree) = instruction();
    let (mut message, mut tree) = (message.into(), tree.into());
    change(&mut message, &mut tree);
    let fleet = answering(&proto::PullMessagesResponse {
        messages_list: vec![message],
        message_object_trees: vec![tree],
        ..proto::PullMessagesResponse::default()
    });
    fleet.pull(Duration::MAX).await
}

#[tokio::test]
async fn a_message_that_breaks_rules_is_refused_by_the_node() {
    let (message, tree) = instruction();
    let good = pulled(|_, _| {}).await;
    assert_eq!(good, Ok(Some(Parcel { message, tree })));
    let malformed = pulled(|message, _| message.metadata = None).await;
    assert!(matches!(
        malformed,
        Err(Failure::Refused(Refusal::Malformed(_)))
    ));
    let no_tree = pulled(|_, tree| tree.object_id = ObjectId::of(b"other").to_string()).await;
    assert!(matches!(no_tree, Err(Failure::Refused(Refusal::NoTree(_)))));
    let rubbish = pulled(|_, tree| tree.object_id = "rubbish".to_owned()).await;
    assert!(matches!(rubbish, Err(Failure::Refused(Refusal::Tree(_)))));
}

#[tokio::test]
async fn only_a_pull_without_end_leaves_its_end_to_the_superlink() {
    let fleet = answering(&proto::PullMessagesResponse::default());
    let eight = Duration::from_secs(8);
    for patience in [Duration::MAX, eight] {
        assert_eq!(fleet.pull(patience).await, Ok(None));
    }
    assert_eq!(*fleet.line().limits.lock(), [None, Some(eight)]);
}
