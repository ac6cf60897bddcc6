//! What ServerApps ask, and what they get.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::message::{Body, Message as CoreMessage, MessageId, Metadata, Parcel};
use flwr_core::object::{ObjectId, ObjectTree, Pulled};
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Fleet, Result, Runtime};
use flwr_core::refusal::Class;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::world::{App, Way, World, is_over};
use crate::link::tests::{Mail, bundle};

fn replies(ids: impl IntoIterator<Item = MessageId>) -> Asked {
    Asked::Replies(ids.into_iter().map(Some).collect())
}

/// A call that waits for replies.
fn waiting<R: Runtime>(app: &App<R>, asked: Asked) -> JoinHandle<Result<Vec<Parcel>>> {
    let runtime = Arc::clone(&app.runtime);
    tokio::spawn(async move { runtime.receive(asked, Duration::MAX).await })
}

fn reason(parcels: &[Parcel]) -> String {
    match &parcels[0].message.body {
        Body::Error { code, reason } => format!("{code} {reason}"),
        Body::Content => "content".to_owned(),
    }
}

pub(super) async fn a_serverapp_that_heard_no_answer_says_everything_again(world: World<impl Way>) {
    let app = world.starting().await;
    let runtime = &app.runtime;
    let inputs = runtime.inputs().await.unwrap().unwrap();
    let again = runtime.inputs().await.unwrap().unwrap();
    assert_eq!((&again.run, &again.fab), (&inputs.run, &inputs.fab));
    let hash = inputs.run.fab_hash().to_owned();
    assert_eq!(inputs.fab, bundle());
    for _ in 0..2 {
        let running = RunStatus::plain(Phase::Running);
        runtime.status(running).await.unwrap();
    }
    let again = runtime.inputs().await.unwrap().unwrap();
    assert_eq!(again.fab, inputs.fab, "the run is running already");
    for _ in 0..2 {
        let context = inputs.context.clone();
        runtime.finish(Some(context)).await.unwrap();
    }
    assert_eq!(runtime.fab(&hash).await.unwrap(), bundle());
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    for _ in 0..2 {
        runtime.status(completed.clone()).await.unwrap();
    }
    let stopped = RunStatus::plain(Phase::Finished(Outcome::Stopped));
    assert!(runtime.status(stopped).await.is_err());
    let late = runtime.finish(Some(inputs.context)).await;
    assert!(is_over(late), "the token is spent");
    assert!(is_over(runtime.inputs().await));
    let gone = runtime.fab(&hash).await.unwrap_err();
    let why = "nobody needs the FAB any more";
    assert_eq!(gone.class(), Some(Class::NotFound), "{why}: {gone}");
    assert!(!runtime.alive(30.0).await.unwrap());
}

pub(super) async fn bytes_must_have_the_announced_id_and_children(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = Mail::new(app.run, "model", |metadata| Metadata {
        dst: node.id,
        ..metadata
    });
    let mut other = mail.parcel.clone();
    other.tree.children.clear();
    app.runtime.send(vec![other]).await.unwrap();
    let [record, message] = &mail.objects[..] else {
        panic!()
    };
    let push = |id, bytes: &Bytes| app.runtime.push_object(id, bytes.clone());
    let unannounced = push(record.id, &record.bytes).await.unwrap();
    assert!(!unannounced, "nobody announced it");
    let of_another = push(message.id, &record.bytes).await.unwrap();
    assert!(!of_another, "it has another id");
    let refused = push(message.id, &message.bytes).await.unwrap_err();
    assert_eq!(refused.class(), Some(Class::Precondition), "{refused}");

    let junk = Bytes::from_static(b"no object");
    let mut parcel = mail.parcel.clone();
    parcel.message.metadata.id = ObjectId::of(&junk);
    parcel.tree = ObjectTree::leaf(ObjectId::of(&junk));
    app.runtime.send(vec![parcel]).await.unwrap();
    let refused = push(ObjectId::of(&junk), &junk).await.unwrap_err();
    let text = "has an unexpected structure. Unexpected format";
    assert!(refused.to_string().contains(text), "{refused}");
}

/// The answer to the first push was lost.
pub(super) async fn an_object_whose_message_was_answered_meanwhile_counts_as_pushed(
    world: World<impl Way>,
) {
    let (app, node) = (world.running().await, world.node().await);
    let asked = app.send(node.id, "model").await;
    node.answer(&asked, "reply").await;
    for object in &asked.objects {
        let again = app.runtime.push_object(object.id, object.bytes.clone());
        assert!(again.await.unwrap());
    }
}

pub(super) async fn replies_that_come_close_together_are_given_together(world: World<impl Way>) {
    let app = world.running().await;
    let (first, second) = (world.node().await, world.node().await);
    let one = app.send(first.id, "model").await;
    let two = app.send(second.id, "model").await;
    let waiting = waiting(&app, replies([one.id(), two.id()]));
    sleep(Duration::from_secs(3)).await;
    first.answer(&one, "one").await;
    sleep(Duration::from_millis(100)).await;
    second.answer(&two, "two").await;
    assert_eq!(waiting.await.unwrap().unwrap().len(), 2);
}

pub(super) async fn an_app_that_asks_again_at_once_does_not_wait_long_for_stragglers(
    world: World<impl Way>,
) {
    let app = world.running().await;
    let (quick, slow) = (world.node().await, world.node().await);
    let asked = [
        app.send(quick.id, "model").await,
        app.send(slow.id, "model").await,
    ];
    let answer = quick.answer(&asked[0], "one").await;
    let ids = asked.map(|mail| mail.id());
    // What a sleeping app would lose anyway; one that comes back at once; one that slept again.
    for (pause, lingered) in [(0, 3000), (0, 200), (3, 3000), (0, 200)] {
        sleep(Duration::from_secs(pause)).await;
        let begun = Instant::now();
        let came = app.runtime.receive(replies(ids), Duration::MAX).await;
        assert_eq!(came.unwrap(), std::slice::from_ref(&answer.parcel));
        assert_eq!(begun.elapsed().as_millis(), lingered);
    }
}

pub(super) async fn an_app_with_less_patience_is_answered_sooner(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    let begun = Instant::now();
    let patience = Duration::from_secs(3);
    let came = app.runtime.receive(replies([mail.id()]), patience).await;
    assert_eq!(came.unwrap(), []);
    // A wire keeps some of the time for the way back.
    let took = begun.elapsed();
    assert!(took <= patience && took >= patience / 2, "{took:?}");
}

pub(super) async fn a_lost_node_is_told_while_the_call_is_held(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    // 55 of the 60 seconds for which a heartbeat keeps a node online are over.
    world.federation.clock.advance(Duration::from_secs(55));
    let waiting = waiting(&app, replies([mail.id()]));
    sleep(Duration::from_secs(1)).await;
    world.federation.clock.advance(Duration::from_secs(6));
    let told = waiting.await.unwrap().unwrap();
    assert_eq!(
        reason(&told).split(" - ").next(),
        Some(
            "5 Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval."
        )
    );
    // It can be pulled and confirmed like any other, and is the same when it is asked for again.
    let again = app.runtime.receive(replies([mail.id()]), Duration::MAX);
    assert_eq!(again.await.unwrap(), told);
    let id = told[0].message.metadata.id;
    let pulled = app.runtime.pull_object(id).await.unwrap();
    assert!(matches!(pulled, Pulled::There(_)));
    app.runtime.confirm(id).await.unwrap();
    let gone = app.runtime.pull_object(id).await.unwrap();
    assert_eq!(gone, Pulled::Unknown);
}

pub(super) async fn an_instruction_that_is_not_known_is_answered_at_once(world: World<impl Way>) {
    let app = world.running().await;
    let nothing = replies([ObjectId::of(b"nothing")]);
    let told = app.runtime.receive(nothing, Duration::MAX).await.unwrap();
    let why = reason(&told);
    assert!(why.starts_with("3 Error: Message Unavailable"), "{why}");
    let id = told[0].message.metadata.id;
    let pulled = app.runtime.pull_object(id).await.unwrap();
    assert!(matches!(pulled, Pulled::There(_)));
}

/// A ServerApp sends to a node that has just left, and asks for the reply like for any other.
pub(super) async fn an_instruction_that_was_not_sent_is_answered_with_an_error(
    world: World<impl Way>,
) {
    let (app, node) = (world.running().await, world.node().await);
    let to_nobody = Mail::new(app.run, "model", |metadata| Metadata {
        dst: NodeId(4711),
        ..metadata
    });
    let sent = app.runtime.send(vec![to_nobody.parcel]).await.unwrap();
    assert_eq!(sent.ids, [None]);
    let mail = app.send(node.id, "model").await;
    let asked = Asked::Replies(vec![None, Some(mail.id()), None]);
    let told = app.runtime.receive(asked, Duration::MAX).await.unwrap();
    let why = reason(&told);
    assert!(why.starts_with("3 Error: Message Unavailable"), "{why}");
    assert_eq!((told.len(), told[0].message.metadata.reply_to), (1, None));
    let id = told[0].message.metadata.id;
    let pulled = app.runtime.pull_object(id).await.unwrap();
    assert!(matches!(pulled, Pulled::There(_)));
    app.runtime.confirm(id).await.unwrap();
    node.answer(&mail, "model").await;
    let twice = replies([mail.id(), mail.id()]);
    let rest = app.runtime.receive(twice, Duration::MAX).await;
    assert_eq!(rest.unwrap().len(), 1, "a reply is given once");
}

pub(super) async fn a_call_held_for_a_stopped_run_is_refused_at_once(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    let begun = Instant::now();
    let waiting = waiting(&app, replies([mail.id()]));
    sleep(Duration::from_secs(1)).await;
    world.federation.link.stop_run(app.run).await.unwrap();
    assert!(is_over(waiting.await.unwrap()));
    assert_eq!(begun.elapsed().as_secs(), 1);
}

pub(super) async fn a_held_call_ends_when_the_daemon_stops(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    let begun = Instant::now();
    world.federation.stopper.stop();
    let came = app
        .runtime
        .receive(replies([mail.id()]), Duration::MAX)
        .await;
    assert_eq!(came.unwrap(), []);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

pub(super) async fn an_app_sees_its_nodes_its_run_and_its_log(world: World<impl Way>) {
    let app = world.running().await;
    let node = world.node().await;
    let runtime = &app.runtime;
    assert_eq!(runtime.run_id(), Some(app.run));
    assert_eq!(runtime.node(), Some(NodeId::SUPERLINK));
    assert_eq!(runtime.nodes().await.unwrap(), [node.id]);
    let run = runtime.run().await.unwrap().unwrap();
    let phase = run.into_status().map(|status| status.phase);
    assert_eq!(phase, Some(Phase::Running));
    assert!(runtime.alive(30.0).await.unwrap());
    runtime.log("one line\n".to_owned()).await.unwrap();
    let log = world
        .federation
        .link
        .next_log(app.run, Timestamp::ZERO, usize::MAX);
    assert_eq!(log.await.unwrap().unwrap().text, "one line\n");
    let nobody = world.node().await;
    nobody.fleet.leave().await.unwrap();
    let mail = Mail::new(app.run, "model", |metadata| Metadata {
        dst: nobody.id,
        ..metadata
    });
    let sent = runtime.send(vec![mail.parcel]).await.unwrap();
    assert_eq!(sent.ids, [None], "the node is gone");
}

pub(super) async fn an_instruction_that_contradicts_its_request_is_refused(world: World<impl Way>) {
    let (app, other, node) = (
        world.running().await,
        world.running().await,
        world.node().await,
    );
    let to_node = |metadata| Metadata {
        dst: node.id,
        ..metadata
    };
    let refused = async |parcel: Parcel, why: &str| {
        let failure = app.runtime.send(vec![parcel]).await.unwrap_err();
        assert!(failure.to_string().contains(why), "{why}: {failure}");
    };
    let of_other = Mail::new(other.run, "of another run", to_node).parcel;
    refused(of_other, "not of run").await;
    let good = Mail::new(app.run, "good", to_node);
    let another = Mail::new(app.run, "another", to_node);
    let swapped = Parcel {
        tree: another.parcel.tree.clone(),
        ..good.parcel.clone()
    };
    refused(swapped, "no object tree of its own").await;
    // The same object, made of something in one tree and of nothing in the other.
    let grown = ObjectTree {
        id: good.objects[0].id,
        children: vec![ObjectTree::leaf(another.objects[0].id)],
    };
    let (contradicts, _) = CoreMessage {
        metadata: Metadata {
            group: "2".to_owned(),
            ..good.parcel.message.metadata.clone()
        },
        body: Body::Content,
    }
    .announced(Some(grown));
    app.runtime.send(vec![good.parcel.clone()]).await.unwrap();
    refused(contradicts, "other children").await;
    assert!(
        node.fleet
            .pull(Duration::from_secs(60))
            .await
            .unwrap()
            .is_none()
    );
}
