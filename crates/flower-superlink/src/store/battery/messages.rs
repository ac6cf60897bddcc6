//! Messages are handed out once, answered once, and told what becomes of them.

use flwr_core::message::Metadata;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase, RunStatus};

use super::runs::refusal;
use super::world::{NOON, RUN, Sent, TTL, World, error_for, key};
use crate::link::state::{Answer, Freed};

const LATER: f64 = 3600.0 * 24.0;

pub(super) async fn a_message_is_handed_out_when_it_is_whole_and_once(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = Sent::instruction("model", node);
    let inserted = world
        .state
        .insert_instructions(RUN, vec![sent.parcel.clone()])
        .await
        .unwrap();
    assert_eq!(inserted.ids, [Some(sent.id())]);
    assert_eq!(inserted.missing.len(), 3);
    assert_eq!(inserted.ready, []);
    for (at, object) in sent.objects.iter().enumerate() {
        assert_eq!(
            world.claim(node, NOON).await,
            None,
            "{at} objects are there"
        );
        let arrival = world.state.object_arrived(RUN, *object).await.unwrap();
        assert!(arrival.kept);
        assert_eq!(!arrival.ready.is_empty(), at == 2);
    }
    let claimed = world.state.claim_message(node, NOON).await.unwrap();
    assert_eq!(claimed, Some(sent.parcel.clone()));
    world.state.confirm(RUN, sent.id()).await.unwrap().0.clear();
    assert_eq!(world.claim(node, NOON).await, None);
}

pub(super) async fn a_message_that_was_never_confirmed_comes_again(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let first = world.send("first", node).await;
    let second = world.send("second", node).await;
    assert_eq!(world.claim(node, NOON).await, Some(first.id()));
    assert_eq!(
        world.claim(node, NOON).await,
        Some(first.id()),
        "its answer was lost"
    );
    world
        .state
        .confirm(RUN, first.id())
        .await
        .unwrap()
        .0
        .clear();
    assert_eq!(world.claim(node, NOON).await, Some(second.id()));
    world.reply("answer", &second).await;
    assert_eq!(
        world.claim(node, NOON).await,
        None,
        "an answered one is not lost"
    );
}

pub(super) async fn what_a_node_took_is_handed_out_again_when_its_key_returns(world: World) {
    world.running().await;
    let key = key();
    let fresh = flwr_core::id::NodeId(5);
    let node = world
        .state
        .register_node(&key, fresh, NOON + LATER)
        .await
        .unwrap()
        .node;
    let answered = world.send("answered", node).await;
    let taken = world.send("taken", node).await;
    for sent in [&answered, &taken] {
        assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
        world.state.confirm(RUN, sent.id()).await.unwrap().0.clear();
    }
    world.reply("answer", &answered).await;
    // Half a reply: the node died while it pushed.
    let half = Sent::reply("half", &taken);
    world
        .state
        .insert_reply(half.parcel.clone(), NOON)
        .await
        .unwrap()
        .missing
        .clear();
    world
        .state
        .object_arrived(RUN, half.objects[0])
        .await
        .unwrap();

    let again = world
        .state
        .register_node(&key, fresh, NOON + LATER)
        .await
        .unwrap();
    assert_eq!(again.freed, Freed(vec![half.objects[0]]));
    assert_eq!(world.claim(node, NOON).await, Some(taken.id()));
    world
        .state
        .confirm(RUN, taken.id())
        .await
        .unwrap()
        .0
        .clear();
    assert_eq!(world.claim(node, NOON).await, None);
    let reply = world.reply("whole", &taken).await;
    assert_eq!(world.answer(&taken, NOON).await, reply.as_answer());
}

pub(super) async fn the_same_instruction_again_changes_nothing(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = Sent::instruction("model", node);
    let parcel = || vec![sent.parcel.clone()];
    let first = world
        .state
        .insert_instructions(RUN, parcel())
        .await
        .unwrap();
    assert_eq!(
        world
            .state
            .insert_instructions(RUN, parcel())
            .await
            .unwrap(),
        first
    );
    for object in first.missing {
        world.state.object_arrived(RUN, object).await.unwrap();
    }
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    world.state.confirm(RUN, sent.id()).await.unwrap().0.clear();
    let again = world
        .state
        .insert_instructions(RUN, parcel())
        .await
        .unwrap();
    assert_eq!((again.ids, again.missing), (vec![Some(sent.id())], vec![]));
    assert_eq!(world.claim(node, NOON).await, None);

    let nobody = Sent::instruction("model", flwr_core::id::NodeId(99));
    let refused = world
        .state
        .insert_instructions(RUN, vec![nobody.parcel])
        .await
        .unwrap();
    assert_eq!((refused.ids, refused.missing), (vec![None], vec![]));
}

pub(super) async fn an_expired_message_is_not_handed_out(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    world.send("model", node).await;
    assert_eq!(world.claim(node, NOON + TTL + 1.0).await, None);
}

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
    let mut freed = world.state.confirm(RUN, reply.id()).await.unwrap().0;
    freed.reverse();
    assert_eq!(freed, reply.objects);
    assert_eq!(world.answer(&sent, NOON).await, Answer::Unknown);
}

pub(super) async fn a_reply_counts_when_it_is_whole(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let reply = Sent::reply("answer", &sent);
    let replied = world
        .state
        .insert_reply(reply.parcel.clone(), NOON)
        .await
        .unwrap();
    assert!(!replied.ready);
    for object in &reply.objects[..2] {
        assert!(
            !world
                .state
                .object_arrived(RUN, *object)
                .await
                .unwrap()
                .replied
        );
    }
    assert!(matches!(
        world.answer(&sent, NOON).await,
        Answer::Waiting { .. }
    ));
    assert!(
        world
            .state
            .object_arrived(RUN, reply.objects[2])
            .await
            .unwrap()
            .replied
    );
    assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
}

pub(super) async fn the_first_reply_counts_and_the_second_is_refused(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let first = world.reply("first", &sent).await;
    let again = world
        .state
        .insert_reply(first.parcel.clone(), NOON)
        .await
        .unwrap();
    assert!(again.ready && again.missing.is_empty());
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
    world
        .state
        .insert_reply(long(TTL - 9.95).parcel, NOON)
        .await
        .unwrap()
        .missing
        .clear();

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
    world.state.remove_node(lost).await.unwrap();
    assert_eq!(world.answer(&to_lost, NOON).await, gone);

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
    let mut freed = world.state.settle(RUN, error.clone()).await.unwrap().0;
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
    assert!(object.available);
    let freed = world.state.confirm(RUN, error.metadata.id).await.unwrap();
    assert_eq!(freed, Freed(vec![error.metadata.id]));
    assert_eq!(world.answer(&sent, NOON + 31.0).await, Answer::Unknown);

    // A whole reply stays, and the error is not kept.
    let sent = world.send("other", node).await;
    let reply = world.reply("answer", &sent).await;
    let (error, _) = error_for(&sent, NOON + 31.0);
    let freed = world.state.settle(RUN, error.clone()).await.unwrap();
    assert_eq!(freed, Freed(vec![error.metadata.id]));
    assert_eq!(world.answer(&sent, NOON + 31.0).await, reply.as_answer());
}

pub(super) async fn objects_of_an_instruction_go_when_it_is_answered(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let (first, second) = (world.send("model", node).await, {
        let other = world.node(6, NOON + LATER).await;
        world.send("model", other).await
    });
    assert_eq!(
        first.objects[..2],
        second.objects[..2],
        "they share their content"
    );
    world
        .state
        .confirm(RUN, first.id())
        .await
        .unwrap()
        .0
        .clear();
    assert!(
        world.knows(first.id()).await,
        "its node may die and ask again"
    );
    world.reply("answer", &first).await;
    assert!(!world.knows(first.id()).await);
    assert!(
        world.knows(first.objects[0]).await,
        "the other message needs it"
    );
    world.reply("answer", &second).await;
    assert!(!world.knows(first.objects[0]).await);
}

pub(super) async fn an_expired_instruction_is_forgotten_with_its_objects(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let soon = world.state.expire(NOON + TTL + 1.0).await.unwrap();
    assert_eq!(
        soon.freed,
        Freed::default(),
        "who asks now hears that it is expired"
    );
    let mut freed = world
        .state
        .expire(NOON + TTL + 3600.0)
        .await
        .unwrap()
        .freed
        .0;
    freed.reverse();
    assert_eq!(freed, sent.objects);
    assert_eq!(
        world.answer(&sent, NOON + TTL + 3600.0).await,
        Answer::Unknown
    );
}

pub(super) async fn a_stopped_run_takes_and_gives_no_messages(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = world.send("model", node).await;
    let phase = Phase::Finished(Outcome::Stopped);
    world
        .state
        .change_run(RUN, RunStatus::plain(phase), NOON)
        .await
        .unwrap()
        .0
        .clear();
    let over = Refusal::RunIs { run: RUN, phase };
    let parcel = || sent.parcel.clone();
    assert_eq!(world.claim(node, NOON).await, None);
    assert_eq!(
        refusal(world.state.insert_instructions(RUN, vec![parcel()]).await),
        over
    );
    let reply = Sent::reply("answer", &sent).parcel;
    assert_eq!(refusal(world.state.insert_reply(reply, NOON).await), over);
    assert_eq!(
        refusal(world.state.answers(RUN, &[sent.id()], NOON).await),
        over
    );
    assert_eq!(refusal(world.state.confirm(RUN, sent.id()).await), over);
    assert_eq!(refusal(world.state.object(RUN, sent.id()).await), over);
    assert!(
        !world
            .state
            .object_arrived(RUN, sent.id())
            .await
            .unwrap()
            .kept
    );
}

pub(super) async fn half_a_reply_cannot_be_confirmed(world: World) {
    let run = world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let sent = world.send("model", node).await;
    world.claim(node, NOON).await;
    let reply = Sent::reply("reply", &sent);
    let stored = world.state.insert_reply(reply.parcel.clone(), NOON).await;
    let missing = stored.unwrap().missing;
    let freed = world.state.confirm(run, reply.id()).await.unwrap();
    assert_eq!(freed.0, []);
    for object in missing {
        assert!(world.state.object_arrived(RUN, object).await.unwrap().kept);
    }
    assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
}
