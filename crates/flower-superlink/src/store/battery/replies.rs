//! The first whole reply to an instruction counts, and why none comes is told.

use flwr_core::message::Metadata;

use super::runs::refusal;
use super::world::{NOON, RUN, Sent, TTL, World, blob, error_for};
use crate::link::state::{Answer, Changed, RETURN};
use crate::link::wake::Topic;
use flwr_core::refusal::Refusal;

const LATER: f64 = 3600.0 * 24.0;

pub(super) async fn a_reply_stays_until_it_is_confirmed(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let waiting = Answer::Waiting { until: NOON + TTL };
    assert_eq!(world.answer(&sent, NOON).await, waiting);
    let reply = world.reply("answer", &sent).await;
    for _ in 0..2 {
        assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
    }
    let mut freed = world.confirm(&reply).await;
    freed.reverse();
    assert_eq!(freed, reply.objects);
    assert_eq!(world.answer(&sent, NOON).await, Answer::Unknown);
}

pub(super) async fn a_reply_counts_when_it_is_whole(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let reply = Sent::reply("answer", &sent);
    let (_, changed) = world
        .state
        .insert_reply(reply.parcel.clone(), NOON)
        .await
        .unwrap();
    assert_eq!(changed, Changed::default());
    for object in &reply.objects[..2] {
        let (_, changed) = world
            .state
            .object_arrived(RUN, *object, blob(*object))
            .await
            .unwrap();
        assert_eq!(changed, Changed::default());
    }
    assert!(matches!(
        world.answer(&sent, NOON).await,
        Answer::Waiting { .. }
    ));
    let last = world
        .state
        .object_arrived(RUN, reply.objects[2], blob(reply.objects[2]))
        .await;
    let (_, changed) = last.unwrap();
    assert_eq!(changed.wake, [Topic::Reply(RUN, sent.id())]);
    assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
}

pub(super) async fn the_first_reply_counts_and_the_second_is_refused(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let first = world.reply("first", &sent).await;
    let (missing, changed) = world
        .state
        .insert_reply(first.parcel.clone(), NOON)
        .await
        .unwrap();
    assert_eq!(missing, []);
    assert_eq!(changed.wake, [Topic::Reply(RUN, sent.id())]);
    let second = Sent::reply("second", &sent);
    let refused = world.state.insert_reply(second.parcel, NOON).await;
    assert_eq!(refusal(refused), Refusal::AlreadyAnswered(sent.id()));
    assert_eq!(world.answer(&sent, NOON).await, first.as_answer());
}

pub(super) async fn a_reply_from_another_node_is_refused(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let other = world.node(6, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let asked = sent.id();
    let mut stranger = sent.clone();
    stranger.parcel.message.metadata.dst = other;
    let reply = Sent::reply("answer", &stranger);
    let refused = world.state.insert_reply(reply.parcel, NOON).await;
    assert_eq!(refusal(refused), Refusal::UnknownInstruction(asked));
}

pub(super) async fn a_reply_must_not_outlive_its_instruction(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let long = |ttl| {
        let metadata = Sent::reply("answer", &sent).parcel.message.metadata;
        Sent::new("answer", |_| Metadata { ttl, ..metadata })
    };
    let refused = world.state.insert_reply(long(TTL - 9.5).parcel, NOON).await;
    let refused = refusal(refused);
    assert!(
        matches!(refused, Refusal::ReplyOutlivesInstruction { excess } if (excess - 0.5).abs() < 0.01),
        "{refused:?}"
    );
    for dead in [0.0, -5.0, f64::NAN] {
        let late = world.state.insert_reply(long(dead).parcel, NOON).await;
        let asked = sent.parcel.message.metadata.id;
        assert_eq!(refusal(late), Refusal::ReplyExpired(asked), "{dead}");
    }
    world
        .state
        .insert_reply(long(TTL - 9.95).parcel, NOON)
        .await
        .unwrap();

    let expired = world.send("other", node).await;
    let late = Sent::reply("late", &expired);
    let refused = world.state.insert_reply(late.parcel, NOON + TTL).await;
    assert_eq!(refusal(refused), Refusal::UnknownInstruction(expired.id()));
}

pub(super) async fn why_no_reply_comes_is_told(world: World) {
    world.running().await;
    let steady = world.node(5, NOON + LATER).await;
    let lost = world.node(6, NOON + 30.0).await;
    let told = Box::new;

    let to_steady = world.send("model", steady).await;
    let metadata = told(to_steady.parcel.message.metadata.clone());
    assert_eq!(
        world.answer(&to_steady, NOON + TTL + 1.0).await,
        Answer::Expired(metadata.clone())
    );
    world.reply("answer", &to_steady).await;
    let expired = world.answer(&to_steady, NOON + TTL + 1.0).await;
    assert_eq!(expired, Answer::ReplyExpired(metadata));

    let to_lost = world.send("model", lost).await;
    assert_eq!(
        world.answer(&to_lost, NOON).await,
        Answer::Waiting { until: NOON + 30.0 }
    );
    let metadata = told(to_lost.parcel.message.metadata.clone());
    let gone = Answer::NodeLost(metadata);
    assert_eq!(world.answer(&to_lost, NOON + 31.0).await, gone);

    // A node that left may return for a while.
    let metadata = told(to_lost.parcel.message.metadata.clone());
    let left = Answer::NodeLeft(metadata);
    let deactivated = world.state.deactivate_node(lost, NOON + 10.0);
    deactivated.await.unwrap();
    let until = NOON + 10.0 + RETURN;
    let waiting = Answer::Waiting { until };
    assert_eq!(world.answer(&to_lost, until).await, waiting);
    assert_eq!(world.answer(&to_lost, until + 1.0).await, left);
    world
        .state
        .unregister_node(lost, NOON + 20.0)
        .await
        .unwrap();
    assert_eq!(world.answer(&to_lost, NOON + 20.0).await, left);

    let never_sent = Sent::instruction("nothing", steady);
    assert_eq!(world.answer(&never_sent, NOON).await, Answer::Unknown);
}

pub(super) async fn a_stored_reply_counts_though_its_node_is_lost(world: World) {
    world.running().await;
    let node = world.node(5, NOON + 30.0).await;
    let sent = world.send("model", node).await;
    let reply = world.reply("answer", &sent).await;
    assert_eq!(world.answer(&sent, NOON + 31.0).await, reply.as_answer());
}

pub(super) async fn an_error_of_the_superlinks_own_is_pulled_and_confirmed(world: World) {
    world.running().await;
    let node = world.node(5, NOON + 30.0).await;
    let sent = world.send("model", node).await;
    let (error, _) = error_for(&sent, NOON + 31.0);
    let mut freed = world
        .state
        .settle(RUN, error.clone(), blob(error.metadata.id), None)
        .await
        .unwrap()
        .1
        .freed;
    freed.reverse();
    assert_eq!(
        freed, sent.objects,
        "the instruction needs its objects no more"
    );
    let Answer::Reply(answer) = world.answer(&sent, NOON + 31.0).await else {
        panic!()
    };
    assert_eq!(answer.message, error);
    let object = world
        .state
        .object(RUN, error.metadata.id)
        .await
        .unwrap()
        .unwrap();
    assert!(object.available());
    let ((), changed) = world.state.confirm(RUN, error.metadata.id).await.unwrap();
    assert_eq!(changed.freed, [error.metadata.id]);
    assert_eq!(world.answer(&sent, NOON + 31.0).await, Answer::Unknown);

    // A whole reply stays, and the error is not kept.
    let sent = world.send("other", node).await;
    let reply = world.reply("answer", &sent).await;
    let (error, _) = error_for(&sent, NOON + 31.0);
    let settled = world
        .state
        .settle(RUN, error.clone(), blob(error.metadata.id), None)
        .await;
    let ((), changed) = settled.unwrap();
    assert_eq!(changed.freed, [error.metadata.id]);
    assert_eq!(world.answer(&sent, NOON + 31.0).await, reply.as_answer());
}

pub(super) async fn an_error_takes_the_place_of_a_flawed_reply_and_of_no_other(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let reply = world.reply("answer", &sent).await;
    let (error, _) = error_for(&sent, NOON + 1.0);
    let other = Some(sent.id());
    let settled = world
        .state
        .settle(RUN, error.clone(), blob(error.metadata.id), other)
        .await;
    let ((), changed) = settled.unwrap();
    assert_eq!(changed.freed, [error.metadata.id]);
    assert_eq!(world.answer(&sent, NOON + 1.0).await, reply.as_answer());

    let flawed = Some(reply.id());
    let settled = world
        .state
        .settle(RUN, error.clone(), blob(error.metadata.id), flawed)
        .await;
    let ((), changed) = settled.unwrap();
    let mut freed = changed.freed;
    freed.reverse();
    assert_eq!(freed, reply.objects, "nobody can read them any more");
    let Answer::Reply(answer) = world.answer(&sent, NOON + 1.0).await else {
        panic!("an error answers the instruction");
    };
    assert_eq!(answer.message, error);
    let ((), changed) = world.state.confirm(RUN, error.metadata.id).await.unwrap();
    assert_eq!(changed.freed, [error.metadata.id]);
    assert_eq!(world.answer(&sent, NOON + 1.0).await, Answer::Unknown);
}

pub(super) async fn half_a_reply_cannot_be_confirmed(world: World) {
    let run = world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let sent = world.send("model", node).await;
    world.claim(node, NOON).await;
    let reply = Sent::reply("reply", &sent);
    let stored = world.state.insert_reply(reply.parcel.clone(), NOON).await;
    let (missing, _) = stored.unwrap();
    let ((), changed) = world.state.confirm(run, reply.id()).await.unwrap();
    assert_eq!(changed.freed, []);
    for object in missing {
        assert!(
            world
                .state
                .object_arrived(RUN, object, blob(object))
                .await
                .unwrap()
                .0
        );
    }
    assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
}
