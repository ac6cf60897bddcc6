//! What nodes ask, and what they get.

use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::message::{Metadata, Parcel};
use flwr_core::object::{Object, ObjectId, Pulled};
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Fleet, Runtime};
use flwr_core::refusal::Class;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_security::key::PrivateKey;
use tokio::time::{Instant, sleep};

use super::world::{Way, World, is_over};
use crate::link::tests::{Mail, bundle};

pub(super) async fn a_node_has_its_id_again_and_leaves_with_it(world: World<impl Way>) {
    let (key, app) = (PrivateKey::generate().unwrap(), world.running().await);
    let first = world.node_of(&key).await;
    let again = world.node_of(&key).await;
    assert_eq!(again.id, first.id);
    let other = world.node().await;
    assert_ne!(other.id, first.id);
    again.fleet.leave().await.unwrap();
    assert_eq!(app.runtime.nodes().await.unwrap(), [other.id]);
    for interval in [10.0, 1800.0] {
        assert!(other.fleet.heartbeat(interval).await.unwrap(), "{interval}");
    }
    for interval in [0.0, -1.0, 9.9, 1800.1, 1e9, f64::NAN] {
        let refused = other.fleet.heartbeat(interval).await.unwrap_err();
        assert_eq!(refused.class(), Some(Class::Invalid), "{interval}");
    }
}

pub(super) async fn a_node_takes_a_message_with_all_that_belongs_to_it_and_answers(
    world: World<impl Way>,
) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    let pulled = node.fleet.pull(Duration::MAX).await.unwrap().unwrap();
    assert_eq!(pulled, mail.parcel);
    let run = node.fleet.run(app.run).await.unwrap();
    assert_eq!((run.id, &*run.fab_id), (app.run, "tests/app"));
    let fab = node.fleet.fab(Some(app.run), &run.fab_hash).await.unwrap();
    assert_eq!(fab, bundle());
    for object in &mail.objects {
        let pulled = node.fleet.pull_object(app.run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    node.fleet.confirm(app.run, mail.id()).await.unwrap();

    let reply = mail.reply(app.run, "a new model");
    let missing = node.fleet.push(reply.parcel.clone(), None).await.unwrap();
    let missing = missing.unwrap();
    assert_eq!(missing.len(), reply.objects.len());
    for object in &reply.objects {
        let pulled = node.fleet.pull_object(app.run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::Awaited);
        let pushed = node
            .fleet
            .push_object(app.run, object.id, object.bytes.clone());
        assert!(pushed.await.unwrap());
    }
    let unknown = ObjectId::of(b"nothing");
    let pulled = node.fleet.pull_object(app.run, unknown).await.unwrap();
    assert_eq!(pulled, Pulled::Unknown);
    let asked = Asked::Replies(vec![Some(mail.id())]);
    let replies = app.runtime.receive(asked, Duration::MAX).await.unwrap();
    assert_eq!(replies, [reply.parcel]);
}

pub(super) async fn a_node_that_waits_gets_its_message_when_the_last_object_arrives(
    world: World<impl Way>,
) {
    let (app, node) = (world.running().await, world.node().await);
    let begun = Instant::now();
    let fleet = Arc::clone(&node.fleet);
    let waiting = tokio::spawn(async move { fleet.pull(Duration::MAX).await.unwrap() });
    sleep(Duration::from_secs(5)).await;
    let mail = app.send(node.id, "model").await;
    assert_eq!(waiting.await.unwrap(), Some(mail.parcel));
    assert_eq!(begun.elapsed().as_secs(), 5);
}

pub(super) async fn a_node_that_waits_in_vain_is_answered_after_the_hold(world: World<impl Way>) {
    let node = world.node().await;
    let begun = Instant::now();
    assert_eq!(node.fleet.pull(Duration::MAX).await.unwrap(), None);
    assert_eq!(begun.elapsed().as_secs(), 20);
}

pub(super) async fn a_node_with_less_patience_is_answered_sooner(world: World<impl Way>) {
    let node = world.node().await;
    let begun = Instant::now();
    let patience = Duration::from_secs(3);
    assert_eq!(node.fleet.pull(patience).await.unwrap(), None);
    // A wire keeps some of the time for the way back.
    let took = begun.elapsed();
    assert!(took <= patience && took >= patience / 2, "{took:?}");
}

pub(super) async fn a_call_held_for_a_nodes_earlier_life_takes_nothing(world: World<impl Way>) {
    let (key, app) = (PrivateKey::generate().unwrap(), world.running().await);
    let node = world.node_of(&key).await;
    let mail = app.send(node.id, "model").await;
    let pulled = node.fleet.pull(Duration::MAX).await.unwrap();
    assert_eq!(pulled, Some(mail.parcel.clone()));
    node.fleet.confirm(app.run, mail.id()).await.unwrap();
    // The process asks for more, and is cut off without a word.
    let lost = tokio::spawn(async move { node.fleet.pull(Duration::MAX).await.unwrap() });
    sleep(Duration::from_secs(1)).await;
    let again = world.node_of(&key).await;
    assert_eq!(lost.await.unwrap(), None);
    let begun = Instant::now();
    let pulled = again.fleet.pull(Duration::MAX).await.unwrap();
    assert_eq!(pulled, Some(mail.parcel));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

pub(super) async fn a_reply_that_comes_twice_is_taken_once(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    node.fleet.pull(Duration::MAX).await.unwrap().unwrap();
    let reply = mail.reply(app.run, "a new model");
    for _ in 0..2 {
        let missing = node.fleet.push(reply.parcel.clone(), None).await.unwrap();
        assert_eq!(missing.unwrap().len(), reply.objects.len());
    }
    node.answer(&mail, "a new model").await;
    let other = node
        .fleet
        .push(mail.reply(app.run, "another").parcel, None)
        .await;
    assert_eq!(other.unwrap(), None, "the first counts");
}

pub(super) async fn a_node_is_refused_what_is_not_its_own(world: World<impl Way>) {
    let (app, node, other) = (
        world.running().await,
        world.node().await,
        world.node().await,
    );
    let mail = app.send(node.id, "model").await;
    let reply = Mail::new(app.run, "stolen", |metadata| Metadata {
        src: node.id,
        reply_to: Some(mail.id()),
        ..metadata
    });
    let stolen = other.fleet.push(reply.parcel, None).await.unwrap_err();
    assert_eq!(stolen.class(), Some(Class::Unauthenticated), "{stolen}");
    let (good, other_reply) = (mail.reply(app.run, "good"), mail.reply(app.run, "other"));
    let swapped = Parcel {
        tree: other_reply.parcel.tree,
        ..good.parcel
    };
    let swapped = node.fleet.push(swapped, None).await.unwrap_err();
    assert_eq!(swapped.class(), Some(Class::Invalid), "{swapped}");
    let unknown = node.fleet.fab(Some(app.run), &"0".repeat(64)).await;
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.class(), Some(Class::Forbidden), "{unknown}");
    assert!(is_over(node.fleet.run(RunId(7)).await));
}

pub(super) async fn a_node_learns_that_a_run_is_over_from_each_call(world: World<impl Way>) {
    let (app, node) = (world.running().await, world.node().await);
    let mail = app.send(node.id, "model").await;
    node.fleet.pull(Duration::MAX).await.unwrap().unwrap();
    let completed = RunStatus::plain(Phase::Finished(Outcome::Completed));
    app.runtime.status(completed).await.unwrap();
    let (run, object) = (app.run, &mail.objects[0]);
    let fleet = &node.fleet;
    assert!(is_over(fleet.run(run).await));
    assert!(is_over(fleet.fab(Some(run), "").await));
    assert!(is_over(fleet.pull_object(run, object.id).await));
    let bytes = object.bytes.clone();
    assert!(is_over(fleet.push_object(run, object.id, bytes).await));
    assert!(is_over(fleet.confirm(run, mail.id()).await));
    assert!(is_over(
        fleet.push(mail.reply(run, "late").parcel, None).await
    ));
}

/// More than a call is held.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the object is taken.
async fn pushes(fleet: &impl Fleet, run: RunId, object: &Object) -> bool {
    let (id, bytes) = (object.id, object.bytes.clone());
    fleet.push_object(run, id, bytes).await.unwrap()
}

/// Both nodes are of one run, and each knows the ids of the other's objects.
pub(super) async fn a_node_does_not_reach_the_objects_of_another(world: World<impl Way>) {
    let (app, node, other) = (
        world.running().await,
        world.node().await,
        world.node().await,
    );
    let mail = app.send(node.id, "for one node only").await;
    app.send(other.id, "for the other").await;
    let unknown = Pulled::Unknown;
    for object in &mail.objects {
        let pulled = other.fleet.pull_object(app.run, object.id).await.unwrap();
        assert_eq!(pulled, unknown, "before its node has it");
    }
    let taken = node.fleet.pull(PATIENCE).await.unwrap().unwrap();
    assert_eq!(taken.message.metadata.id, mail.id());
    other.fleet.pull(PATIENCE).await.unwrap().unwrap();
    other.fleet.confirm(app.run, mail.id()).await.unwrap();
    for object in &mail.objects {
        let pulled = other.fleet.pull_object(app.run, object.id).await.unwrap();
        assert_eq!(pulled, unknown);
        let pulled = node.fleet.pull_object(app.run, object.id).await.unwrap();
        assert_eq!(pulled, Pulled::There(object.bytes.clone()));
    }
    // What was not confirmed comes again.
    let again = node.fleet.pull(PATIENCE).await.unwrap().unwrap();
    assert_eq!(again.message.metadata.id, mail.id());
    node.fleet.confirm(app.run, mail.id()).await.unwrap();
    assert!(node.fleet.pull(PATIENCE).await.unwrap().is_none());

    let reply = mail.reply(app.run, "an answer");
    let missing = node.fleet.push(reply.parcel.clone(), None).await.unwrap();
    assert_eq!(missing.unwrap().len(), reply.objects.len());
    for object in &reply.objects {
        assert!(!pushes(&*other.fleet, app.run, object).await);
        assert!(pushes(&*node.fleet, app.run, object).await);
        assert!(
            pushes(&*node.fleet, app.run, object).await,
            "its answer was lost"
        );
    }
    // No node confirms a reply, its own or another's: the ServerApp does.
    for fleet in [&node.fleet, &other.fleet] {
        fleet.confirm(app.run, reply.id()).await.unwrap();
    }
    let asked = Asked::Replies(vec![Some(mail.id())]);
    let replies = app.runtime.receive(asked, PATIENCE).await.unwrap();
    assert_eq!(replies[0].message.metadata.id, reply.id());
}
