//! The domain over a state in memory, with a clock that the tests set and a time that passes
//! only while everybody waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::config::{Scalar, UserConfig};
use flwr_core::fab;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree};
use flwr_core::port::runtime::Inputs;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::MockClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_security::key::PrivateKey;
use tokio::time::Instant;

use super::blobs::BlobStore;
use super::state::Parcel;
use super::*;
use crate::error::Error;
use crate::store::MemoryState;

mod commits;
mod damage;
mod leases;
mod lives;
mod messages;
mod runs;
mod upkeep;

const NOON: Timestamp = Timestamp::from_secs(1_758_000_000.0);
const PYPROJECT: &str = r#"
[project]
name = "app"
version = "1.0.0"
[tool.flwr.app]
publisher = "tests"
[tool.flwr.app.components]
serverapp = "app.server:app"
clientapp = "app.client:app"
[tool.flwr.app.config]
rounds = 3
"#;

pub(crate) struct Federation {
    pub(crate) link: Arc<Link>,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) stopper: Stopper,
}

async fn inputs_of(link: &Link, token: &str) -> Result<Inputs, Error> {
    let run = link.run_of_token(token).await?;
    link.inputs(run).await
}

impl Federation {
    pub(crate) fn new() -> Self {
        Self::with_limit(None)
    }

    fn with_limit(max_storage: Option<u64>) -> Self {
        Self::over(Arc::new(MemoryState::default()), max_storage)
    }

    fn over(state: Arc<dyn LinkState>, max_storage: Option<u64>) -> Self {
        let bytes = || Arc::new(Memory::new());
        Self::with_bytes(state, max_storage, bytes(), bytes())
    }

    pub(crate) fn with_bytes(
        state: Arc<dyn LinkState>,
        max_storage: Option<u64>,
        objects: Arc<dyn BlobStore>,
        fabs: Arc<dyn BlobStore>,
    ) -> Self {
        let clock = Arc::new(MockClock::new(NOON));
        let stopper = Stopper::new();
        let link = Arc::new(Link::new(Parts {
            state,
            objects,
            fabs,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            holds: Holds::default(),
            max_storage,
            stopper: stopper.clone(),
        }));
        Self {
            link,
            clock,
            stopper,
        }
    }

    pub(crate) fn state(&self) -> &dyn LinkState {
        &*self.link.state
    }

    pub(crate) async fn node(&self) -> NodeId {
        let key = PrivateKey::generate().unwrap();
        let node = self
            .link
            .take_in(key.public_key(), 30.0, None)
            .await
            .unwrap();
        assert!(self.link.node_lives(node, 30.0).await.unwrap());
        node
    }

    pub(crate) async fn running(&self) -> RunId {
        let run = self
            .link
            .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
            .await
            .unwrap();
        let token = self.link.issue_token(run).await.unwrap().unwrap();
        inputs_of(&self.link, token.as_str()).await.unwrap();
        self.link
            .report_status(run, RunStatus::plain(Phase::Running))
            .await
            .unwrap();
        run
    }

    /// Sends a message, with its objects.
    pub(crate) async fn send(&self, run: RunId, node: NodeId, content: &str) -> Mail {
        let mail = Mail::new(run, content, |metadata| Metadata {
            dst: node,
            ..metadata
        });
        let inserted = self
            .link
            .send(run, vec![mail.parcel.clone()])
            .await
            .unwrap();
        self.push(run, &mail, inserted.missing).await;
        mail
    }

    /// Answers a message, with its objects.
    pub(crate) async fn answer(&self, run: RunId, asked: &Mail, content: &str) -> Mail {
        let mail = asked.reply(run, content);
        let missing = self.link.reply(mail.parcel.clone()).await.unwrap().unwrap();
        self.push(run, &mail, missing).await;
        mail
    }

    async fn push(&self, run: RunId, mail: &Mail, missing: Vec<ObjectId>) {
        for object in mail.objects_of(&missing) {
            let bytes = object.bytes.clone();
            assert!(self.link.push_object(run, object.id, bytes).await.unwrap());
        }
    }
}

/// A message with its objects.
#[derive(Clone)]
pub(crate) struct Mail {
    pub(crate) parcel: Parcel,
    pub(crate) objects: Vec<Object>,
}

impl Mail {
    pub(crate) fn new(run: RunId, content: &str, shape: impl FnOnce(Metadata) -> Metadata) -> Self {
        let record = Object::new(Kind::RecordDict, &[], content.as_bytes());
        let metadata = shape(Metadata {
            run,
            id: record.id,
            src: NodeId::SUPERLINK,
            dst: NodeId::SUPERLINK,
            reply_to: None,
            group: String::new(),
            ttl: 1000.0,
            message_type: "train".to_owned(),
            created_at: NOON,
        });
        let message = Message {
            metadata,
            body: Body::Content,
        };
        let (parcel, object) = message.announced(Some(ObjectTree::leaf(record.id)));
        Self {
            parcel,
            objects: vec![record, object],
        }
    }

    pub(crate) fn reply(&self, run: RunId, content: &str) -> Self {
        let asked = self.parcel.message.metadata.clone();
        Self::new(run, content, |metadata| Metadata {
            src: asked.dst,
            reply_to: Some(asked.id),
            ..metadata
        })
    }

    pub(crate) const fn id(&self) -> ObjectId {
        self.parcel.message.metadata.id
    }

    /// Those of its objects that have these ids.
    pub(crate) fn objects_of(&self, ids: &[ObjectId]) -> impl Iterator<Item = &Object> {
        let objects = self.objects.iter();
        objects.filter(move |object| ids.contains(&object.id))
    }
}

pub(crate) fn bundle() -> Bytes {
    let files = vec![("app/server.py".to_owned(), Bytes::from_static(b"app = 1\n"))];
    fab::build(PYPROJECT, files).unwrap().bytes
}
