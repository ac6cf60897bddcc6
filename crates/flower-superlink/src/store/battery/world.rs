//! A small federation to test with: keys, runs and messages by name, and a time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use flwr_core::context::Context;
use flwr_core::id::{NodeId, RunId, TaskId};
use flwr_core::message::{Body, Message, MessageId, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_core::run::{Phase, Run, RunStatus};
use flwr_core::task::TaskKind;
use flwr_core::time::Timestamp;
use flwr_security::key::{PrivateKey, PublicKey};

use crate::link::state::{Answer, Blob, BlobName, Changed, LinkState, Parcel, Registration};

/// The hour at which every test begins.
pub(in crate::store) const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);
/// Seconds a message lives.
pub(in crate::store) const TTL: f64 = 1000.0;
pub(in crate::store) const RUN: RunId = RunId(77);
/// The task of its ServerApp.
pub(in crate::store) const TASK: TaskId = TaskId::of_serverapp(RUN);

/// A place for the bytes of an object, of one of the kinds that there are.
pub(in crate::store) fn blob(object: ObjectId) -> Blob {
    static NAMES: AtomicU64 = AtomicU64::new(0);
    match object.as_bytes()[0] % 3 {
        0 => Blob::OfId,
        1 => Blob::Inline(Bytes::copy_from_slice(object.as_bytes())),
        _ => Blob::Named(BlobName {
            key: format!("o/test/{}", NAMES.fetch_add(1, Ordering::Relaxed)),
            size: 1000,
        }),
    }
}

pub(in crate::store) struct World {
    pub(in crate::store) state: Arc<dyn LinkState>,
}

impl World {
    pub(in crate::store) fn new(state: Arc<dyn LinkState>) -> Self {
        Self { state }
    }

    /// A node that is online until `until`.
    pub(in crate::store) async fn node(&self, name: u64, until: Timestamp) -> NodeId {
        self.comes(&key(), NodeId(name), until).await.0.node
    }

    /// The node with this key registers and begins a session, online until `until`.
    pub(in crate::store) async fn comes(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> (Registration, Changed) {
        let registered = self.state.register_node(key, fresh, NOON).await;
        let (registration, changed) = registered.unwrap();
        assert_eq!(changed, Changed::default());
        let activated = self.state.activate_node(registration.node, until, NOON);
        (registration, activated.await.unwrap().1)
    }

    pub(in crate::store) async fn is_kept(&self, node: NodeId, until: Timestamp) -> bool {
        self.state.keep_node(node, until, NOON).await.unwrap()
    }

    /// A sign of life of the run's ServerApp.
    pub(in crate::store) async fn app_lives(&self, until: Timestamp) -> bool {
        self.state.keep_task(TASK, until).await.unwrap()
    }

    /// The runs that have not begun.
    pub(in crate::store) async fn waiting(&self) -> Vec<RunId> {
        let waiting = self.state.waiting_tasks(TaskKind::ServerApp).await.unwrap();
        waiting.into_iter().map(|task| task.run).collect()
    }

    /// The run, pending.
    pub(in crate::store) async fn pending(&self) -> RunId {
        self.pending_of("0".repeat(64)).await
    }

    /// The run, pending, of this FAB.
    pub(in crate::store) async fn pending_of(&self, fab_hash: String) -> RunId {
        let run = Run {
            id: RUN,
            fab_id: "publisher/app".to_owned(),
            fab_version: "1.0.0".to_owned(),
            fab_hash,
            account: "alice-1".to_owned(),
            override_config: Default::default(),
            status: RunStatus::plain(Phase::Pending),
            pending_at: NOON,
            starting_at: None,
            running_at: None,
            finished_at: None,
        };
        self.state
            .create_run(run, Context::default(), None)
            .await
            .unwrap()
            .1
            .freed
            .clear();
        RUN
    }

    pub(in crate::store) async fn change(&self, phase: Phase) {
        let status = RunStatus::plain(phase);
        let ((), changed) = self.state.change_run(RUN, status, NOON).await.unwrap();
        assert_eq!(changed.freed, []);
    }

    /// The run, running, with a ServerApp that lives for ever.
    pub(in crate::store) async fn running(&self) -> RunId {
        self.pending().await;
        self.change(Phase::Starting).await;
        self.change(Phase::Running).await;
        assert!(self.app_lives(Timestamp::NEVER).await);
        RUN
    }

    /// Sends an instruction and the bytes of all its objects.
    pub(in crate::store) async fn send(&self, content: &str, node: NodeId) -> Sent {
        let sent = Sent::instruction(content, node);
        let inserted = self
            .state
            .insert_instructions(RUN, vec![sent.parcel.clone()])
            .await;
        for object in inserted.unwrap().0.missing {
            self.state
                .object_arrived(RUN, object, blob(object))
                .await
                .unwrap();
        }
        sent
    }

    /// Stores a reply and the bytes of all its objects.
    pub(in crate::store) async fn reply(&self, content: &str, instruction: &Sent) -> Sent {
        let reply = Sent::reply(content, instruction);
        let (missing, _) = self
            .state
            .insert_reply(reply.parcel.clone(), NOON)
            .await
            .unwrap();
        for object in missing {
            self.state
                .object_arrived(RUN, object, blob(object))
                .await
                .unwrap();
        }
        reply
    }

    pub(in crate::store) async fn claim(&self, node: NodeId, now: Timestamp) -> Option<MessageId> {
        let session = self.state.session(node).await.unwrap();
        let claimed = self
            .state
            .claim_message(node, session.unwrap_or_default(), now)
            .await
            .unwrap();
        claimed.map(|parcel| parcel.message.metadata.id)
    }

    /// Confirms a message. Gives the objects that this frees.
    pub(in crate::store) async fn confirm(&self, message: &Sent) -> Vec<ObjectId> {
        let ((), changed) = self.state.confirm(RUN, message.id()).await.unwrap();
        changed.freed
    }

    pub(in crate::store) async fn answer(&self, instruction: &Sent, now: Timestamp) -> Answer {
        let mut answers = self
            .state
            .answers(RUN, &[instruction.id()], now)
            .await
            .unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    pub(in crate::store) async fn knows(&self, object: ObjectId) -> bool {
        self.state.object(RUN, object).await.unwrap().is_some()
    }
}

/// A message with its objects: the Message, a RecordDict, and what the RecordDict is made of.
#[derive(Debug, Clone)]
pub(in crate::store) struct Sent {
    pub(in crate::store) parcel: Parcel,
    /// Children before parents.
    pub(in crate::store) objects: Vec<ObjectId>,
    /// The bytes of the objects.
    pub(in crate::store) contents: Vec<Bytes>,
}

impl Sent {
    pub(in crate::store) fn instruction(content: &str, node: NodeId) -> Self {
        Self::new(content, |metadata| Metadata {
            dst: node,
            ..metadata
        })
    }

    /// Another one for each number, of objects that are the same for the same content.
    pub(in crate::store) fn instruction_at(content: &str, node: NodeId, number: usize) -> Self {
        Self::new(content, |metadata| Metadata {
            dst: node,
            group: number.to_string(),
            ..metadata
        })
    }

    pub(in crate::store) fn reply(content: &str, instruction: &Self) -> Self {
        let asked = instruction.parcel.message.metadata.clone();
        Self::new(content, |metadata| Metadata {
            src: asked.dst,
            dst: NodeId::SUPERLINK,
            reply_to: Some(asked.id),
            created_at: NOON + 10.0,
            ttl: TTL - 10.0,
            ..metadata
        })
    }

    pub(in crate::store) fn new(content: &str, shape: impl FnOnce(Metadata) -> Metadata) -> Self {
        let leaf = Object::new(Kind::ConfigRecord, &[], content.as_bytes());
        let record = Object::new(Kind::RecordDict, &[leaf.id], b"{}");
        let metadata = shape(Metadata {
            run: RUN,
            id: ObjectId::of(b""),
            src: NodeId::SUPERLINK,
            dst: NodeId::SUPERLINK,
            reply_to: None,
            group: String::new(),
            ttl: TTL,
            message_type: "train".to_owned(),
            created_at: NOON,
        });
        let message = Message {
            metadata,
            body: Body::Content,
        };
        let record_tree = ObjectTree {
            id: record.id,
            children: vec![ObjectTree::leaf(leaf.id)],
        };
        let (parcel, object) = message.announced(Some(record_tree));
        Self {
            parcel,
            objects: vec![leaf.id, record.id, object.id],
            contents: vec![leaf.bytes, record.bytes, object.bytes],
        }
    }

    pub(in crate::store) const fn id(&self) -> MessageId {
        self.parcel.message.metadata.id
    }

    pub(in crate::store) fn as_answer(&self) -> Answer {
        Answer::Reply(Box::new(self.parcel.clone()))
    }
}

pub(in crate::store) fn key() -> PublicKey {
    PrivateKey::generate().unwrap().public_key().clone()
}

/// An error reply of the SuperLink's own, and its bytes.
pub(in crate::store) fn error_for(instruction: &Sent, now: Timestamp) -> (Message, Bytes) {
    let metadata = &instruction.parcel.message.metadata;
    let code = flwr_core::message::ErrorCode::NodeUnavailable;
    let (message, object) =
        Message::error_reply(metadata, NodeId::SUPERLINK, code, "it is gone", now);
    (message, object.bytes)
}

/// A state in a file that goes with the test.
pub(in crate::store) fn durable() -> Arc<dyn LinkState> {
    let dir = tempfile::tempdir().unwrap();
    let state = crate::store::SqliteState::open(&dir.path().join("state.db"), NOON).unwrap();
    // The file stays open, and needs its name no more.
    Arc::new(state)
}
