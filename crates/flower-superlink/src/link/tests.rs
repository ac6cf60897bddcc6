//! The domain over a state in memory, with a clock that the tests set and a time that passes
//! only while everybody waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::config::{Scalar, UserConfig};
use flwr_core::fab;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Body, Message, Metadata};
use flwr_core::object::{Kind, Object, ObjectId, ObjectTree, Pulled};
use flwr_core::port::runtime::Inputs;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::clock::MockClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_security::key::PrivateKey;
use tokio::time::Instant;

use super::state::Parcel;
use super::*;
use crate::error::Error;
use crate::store::MemoryState;

mod leases;
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

struct Federation {
    link: Arc<Link>,
    clock: Arc<MockClock>,
    stopper: Stopper,
}

async fn inputs_of(link: &Link, token: &str) -> Result<Inputs, Error> {
    let run = link.run_of_token(token).await?;
    link.inputs(run).await
}

impl Federation {
    fn new() -> Self {
        Self::with_limit(None)
    }

    fn with_limit(max_storage: Option<u64>) -> Self {
        let clock = Arc::new(MockClock::new(NOON));
        let stopper = Stopper::new();
        let link = Arc::new(Link::new(Parts {
            state: Arc::new(MemoryState::default()),
            objects: Arc::new(Memory::new()),
            fabs: Arc::new(Memory::new()),
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

    async fn node(&self) -> NodeId {
        let key = PrivateKey::generate().unwrap();
        let node = self
            .link
            .register_node(key.public_key(), 30.0, None)
            .await
            .unwrap();
        assert!(self.link.node_lives(node, 30.0).await.unwrap());
        node
    }

    async fn running(&self) -> RunId {
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
    async fn send(&self, run: RunId, node: NodeId, content: &str) -> Mail {
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
    async fn answer(&self, run: RunId, asked: &Mail, content: &str) -> Mail {
        let mail = asked.reply(run, content);
        let missing = self.link.reply(mail.parcel.clone()).await.unwrap().unwrap();
        self.push(run, &mail, missing).await;
        mail
    }

    async fn push(&self, run: RunId, mail: &Mail, missing: Vec<ObjectId>) {
        for object in mail
            .objects
            .iter()
            .filter(|object| missing.contains(&object.id))
        {
            let bytes = object.bytes.clone();
            assert!(self.link.push_object(run, object.id, bytes).await.unwrap());
        }
    }
}

/// A message with its objects.
#[derive(Clone)]
struct Mail {
    parcel: Parcel,
    objects: Vec<Object>,
}

impl Mail {
    fn new(run: RunId, content: &str, shape: impl FnOnce(Metadata) -> Metadata) -> Self {
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
        let mut message = Message {
            metadata,
            body: Body::Content,
        };
        let object = message.object(Some(record.id));
        message.metadata.id = object.id;
        let tree = ObjectTree {
            id: object.id,
            children: vec![ObjectTree::leaf(record.id)],
        };
        Self {
            parcel: Parcel { message, tree },
            objects: vec![record, object],
        }
    }

    fn reply(&self, run: RunId, content: &str) -> Self {
        let asked = self.parcel.message.metadata.clone();
        Self::new(run, content, |metadata| Metadata {
            src: asked.dst,
            reply_to: Some(asked.id),
            ..metadata
        })
    }

    const fn id(&self) -> ObjectId {
        self.parcel.message.metadata.id
    }
}

fn bundle() -> Bytes {
    let files = vec![("app/server.py".to_owned(), Bytes::from_static(b"app = 1\n"))];
    fab::build(PYPROJECT, files).unwrap().bytes
}

fn reason(parcels: &[Parcel]) -> String {
    match &parcels[0].message.body {
        Body::Error { code, reason } => format!("{code} {reason}"),
        Body::Content => "content".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_gets_its_message_when_the_last_object_arrives() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let begun = Instant::now();
    let link = Arc::clone(&federation.link);
    let waiting = tokio::spawn(async move { link.claim(node, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mail = federation.send(run, node, "model").await;
    assert_eq!(waiting.await.unwrap(), Some(mail.parcel));
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_waits_in_vain_is_answered_after_the_hold() {
    let federation = Federation::new();
    let node = federation.node().await;
    let begun = Instant::now();
    assert_eq!(
        federation.link.claim(node, Duration::MAX).await.unwrap(),
        None
    );
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_call_held_for_a_nodes_earlier_life_takes_nothing() {
    let federation = Federation::new();
    let run = federation.running().await;
    let key = PrivateKey::generate().unwrap();
    let link = Arc::clone(&federation.link);
    let register = async || {
        link.register_node(key.public_key(), 30.0, None)
            .await
            .unwrap()
    };
    let node = register().await;
    let mail = federation.send(run, node, "model").await;
    assert_eq!(
        link.claim(node, Duration::MAX).await.unwrap(),
        Some(mail.parcel.clone())
    );
    link.confirm(run, mail.id()).await.unwrap();
    // The process asks for more, and is cut off without a word.
    let held = Arc::clone(&link);
    let lost = tokio::spawn(async move { held.claim(node, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!(register().await, node);
    assert_eq!(lost.await.unwrap(), None);
    let begun = Instant::now();
    assert_eq!(
        link.claim(node, Duration::MAX).await.unwrap(),
        Some(mail.parcel)
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_ends_when_the_daemon_stops() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    let begun = Instant::now();
    federation.stopper.stop();
    assert_eq!(
        federation
            .link
            .replies(run, &[mail.id()], Duration::MAX)
            .await
            .unwrap(),
        []
    );
    assert!(matches!(
        federation.link.next_log(run, Timestamp::ZERO).await,
        Err(Error::Stopping)
    ));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn replies_that_come_close_together_are_given_together() {
    let federation = Federation::new();
    let run = federation.running().await;
    let (first, second) = (federation.node().await, federation.node().await);
    let asked = [
        federation.send(run, first, "model").await,
        federation.send(run, second, "model").await,
    ];
    let ids = asked.clone().map(|mail| mail.id());
    let link = Arc::clone(&federation.link);
    let waiting =
        tokio::spawn(async move { link.replies(run, &ids, Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(3)).await;
    federation.answer(run, &asked[0], "one").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    federation.answer(run, &asked[1], "two").await;
    assert_eq!(waiting.await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_asks_again_at_once_does_not_wait_long_for_stragglers() {
    let federation = Federation::new();
    let run = federation.running().await;
    let (quick, slow) = (federation.node().await, federation.node().await);
    let asked = [
        federation.send(run, quick, "model").await,
        federation.send(run, slow, "model").await,
    ];
    let answer = federation.answer(run, &asked[0], "one").await;
    let ids = asked.map(|mail| mail.id());
    // What a sleeping app would lose anyway; one that comes back at once; one that slept again.
    for (pause, lingered) in [(0, 3000), (0, 200), (3, 3000), (0, 200)] {
        tokio::time::sleep(Duration::from_secs(pause)).await;
        let begun = Instant::now();
        let replies = federation
            .link
            .replies(run, &ids, Duration::MAX)
            .await
            .unwrap();
        assert_eq!(replies, std::slice::from_ref(&answer.parcel));
        assert_eq!(begun.elapsed().as_millis(), lingered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_is_told_while_the_call_is_held() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    // 55 of the 60 seconds for which a heartbeat keeps a node online are over.
    federation.clock.advance(Duration::from_secs(55));
    let (link, id) = (Arc::clone(&federation.link), mail.id());
    let waiting =
        tokio::spawn(async move { link.replies(run, &[id], Duration::MAX).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    federation.clock.advance(Duration::from_secs(6));
    let replies = waiting.await.unwrap();
    assert_eq!(
        reason(&replies).split(" - ").next(),
        Some(
            "5 Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval."
        )
    );
    // It can be pulled and confirmed like any other, and is the same when it is asked for again.
    let again = federation
        .link
        .replies(run, &[mail.id()], Duration::MAX)
        .await
        .unwrap();
    assert_eq!(again, replies);
    let id = replies[0].message.metadata.id;
    assert!(matches!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::There(_)
    ));
    federation.link.confirm(run, id).await.unwrap();
    assert_eq!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::Unknown
    );
}

#[tokio::test(start_paused = true)]
async fn an_instruction_that_is_not_known_is_answered_at_once() {
    let federation = Federation::new();
    let run = federation.running().await;
    let replies = federation
        .link
        .replies(run, &[ObjectId::of(b"nothing")], Duration::MAX)
        .await
        .unwrap();
    assert!(
        reason(&replies).starts_with("3 Error: Message Unavailable"),
        "{replies:?}"
    );
    let id = replies[0].message.metadata.id;
    assert!(matches!(
        federation.link.pull_object(run, id).await.unwrap(),
        Pulled::There(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_call_held_for_a_stopped_run_is_refused_at_once() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = federation.send(run, node, "model").await;
    let begun = Instant::now();
    let (link, id) = (Arc::clone(&federation.link), mail.id());
    let waiting = tokio::spawn(async move { link.replies(run, &[id], Duration::MAX).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    federation.link.stop_run(run).await.unwrap();
    let refused = waiting.await.unwrap().unwrap_err();
    let phase = Phase::Finished(Outcome::Stopped);
    let expected = Refusal::RunIs { run, phase };
    assert!(matches!(refused, Error::Refused(refusal) if refusal == expected));
    assert_eq!(begun.elapsed().as_secs(), 1);
    assert!(matches!(
        federation.link.stop_run(run).await,
        Err(Error::Refused(Refusal::AlreadyFinished(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn bytes_must_have_the_announced_id_and_children() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let mail = Mail::new(run, "model", |metadata| Metadata {
        dst: node,
        ..metadata
    });
    let mut other = mail.parcel.clone();
    other.tree.children.clear();
    federation.link.send(run, vec![other]).await.unwrap();
    let [record, message] = &mail.objects[..] else {
        panic!()
    };
    let push = |id, bytes: &Bytes| federation.link.push_object(run, id, bytes.clone());
    assert!(
        !push(record.id, &record.bytes).await.unwrap(),
        "nobody announced it"
    );
    assert!(
        !push(message.id, &record.bytes).await.unwrap(),
        "it has another id"
    );
    let error = push(message.id, &message.bytes).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Refusal::ObjectChildren(_))),
        "{error}"
    );

    let junk = Bytes::from_static(b"no object");
    let mut parcel = mail.parcel.clone();
    parcel.message.metadata.id = ObjectId::of(&junk);
    parcel.tree = ObjectTree::leaf(ObjectId::of(&junk));
    federation.link.send(run, vec![parcel]).await.unwrap();
    let error = push(ObjectId::of(&junk), &junk).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has an unexpected structure. Unexpected format"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_starts_only_from_a_good_fab_and_known_configuration() {
    let federation = Federation::new();
    let start = |fab, overrides| {
        federation
            .link
            .start_run(fab, overrides, &Principal::Anybody)
    };
    let error = start(Bytes::from_static(b"PK"), UserConfig::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Fab(_))), "{error}");
    let mut damaged = bundle().to_vec();
    let at = damaged
        .windows(7)
        .position(|window| window == b"app = 1")
        .unwrap();
    damaged[at] = b'x';
    let error = start(damaged.into(), UserConfig::new()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Fab(_))), "{error}");
    let unknown = UserConfig::from([("round".to_owned(), Scalar::Int(1))]);
    let error = start(bundle(), unknown).await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Refusal::RunConfig(_))),
        "{error}"
    );
    assert_eq!(federation.link.runs(&Principal::Anybody).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_serverapp_that_heard_no_answer_says_everything_again() {
    let federation = Federation::new();
    let link = &federation.link;
    let run = link
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
        .await
        .unwrap();
    let token = link.issue_token(run).await.unwrap().unwrap();
    assert!(link.issue_token(run).await.unwrap().is_none());
    assert!(inputs_of(link, "guess").await.is_err());
    let inputs = inputs_of(link, token.as_str()).await.unwrap();
    assert_eq!(
        (inputs.run.id, inputs.run.status.phase),
        (run, Phase::Starting)
    );
    assert_eq!(inputs.fab, bundle());
    let again = inputs_of(link, token.as_str()).await.unwrap();
    assert_eq!((again.run, again.fab), (inputs.run, inputs.fab));

    for _ in 0..2 {
        let running = RunStatus::plain(Phase::Running);
        link.report_status(run, running).await.unwrap();
    }
    assert!(inputs_of(link, token.as_str()).await.is_err(), "it runs");
    let context = inputs.context;
    assert!(link.run_of_token("guess").await.is_err());
    let hash = link.known_run(run).await.unwrap().fab_hash;
    for _ in 0..2 {
        let context = context.clone();
        link.keep_context(run, context).await.unwrap();
    }
    assert!(link.fab(&hash).await.is_ok());
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    for _ in 0..2 {
        link.report_status(run, completed.clone()).await.unwrap();
    }
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    assert!(link.report_status(run, stopped).await.is_err());
    let late = link.keep_context(run, context).await;
    assert!(late.is_err(), "the token is spent");
    assert!(
        link.fab(&hash).await.is_err(),
        "nobody needs the FAB any more"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_serverapp_printed_before_a_restart_is_not_logged_twice() {
    let federation = Federation::new();
    let run = federation.running().await;
    let link = &federation.link;
    // As an earlier SuperLink left it, whose answer was lost.
    link.push_log(run, "one\n".to_owned()).await.unwrap();
    for text in ["one\n", "one\n", "two\n"] {
        link.push_app_log(run, text.to_owned()).await.unwrap();
    }
    let entry = link.next_log(run, Timestamp::ZERO).await.unwrap().unwrap();
    assert_eq!(entry.text, "one\none\ntwo\n");
}

#[tokio::test(start_paused = true)]
async fn a_full_superlink_takes_nothing_new_until_there_is_space() {
    let federation = Federation::with_limit(Some(bundle().len() as u64 + 1));
    let run = federation.running().await;
    let node = federation.node().await;
    let link = &federation.link;
    let first = federation.send(run, node, "a message").await;
    let other = first.parcel.clone();
    let more = link.send(run, vec![other.clone()]).await;
    assert!(matches!(more, Err(Error::Refused(Refusal::Full { .. }))));
    let start = link
        .start_run(bundle(), UserConfig::new(), &Principal::Anybody)
        .await;
    assert!(matches!(start, Err(Error::Refused(Refusal::Full { .. }))));
    // What is under way comes to its end, and space returns.
    federation.answer(run, &first, "an answer").await;
    let reply = link
        .replies(run, &[first.id()], Duration::MAX)
        .await
        .unwrap()
        .remove(0);
    link.confirm(run, reply.message.metadata.id).await.unwrap();
    link.send(run, vec![other]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_is_read_to_the_end_of_its_run() {
    let federation = Federation::new();
    let run = federation.running().await;
    let link = Arc::clone(&federation.link);
    let reader = tokio::spawn(async move {
        let (mut text, mut after) = (String::new(), Timestamp::ZERO);
        while let Some(entry) = link.next_log(run, after).await.unwrap() {
            text.push_str(&entry.text);
            after = entry.at;
        }
        text
    });
    for n in 0..10 {
        federation
            .link
            .push_log(run, format!("{n} "))
            .await
            .unwrap();
        tokio::task::yield_now().await;
    }
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    federation.link.report_status(run, completed).await.unwrap();
    assert_eq!(reader.await.unwrap(), "0 1 2 3 4 5 6 7 8 9 ");
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_less_patience_is_answered_sooner() {
    let federation = Federation::new();
    let (run, node) = (federation.running().await, federation.node().await);
    let asked = Instant::now();
    let patience = Duration::from_secs(3);
    let link = &federation.link;
    assert_eq!(link.claim(node, patience).await.unwrap(), None);
    assert_eq!(asked.elapsed().as_secs(), 3);
    let mail = federation.send(run, node, "model").await;
    let replies = link.replies(run, &[mail.id()], patience).await.unwrap();
    assert_eq!(replies, []);
    assert_eq!(asked.elapsed().as_secs(), 6);
}
