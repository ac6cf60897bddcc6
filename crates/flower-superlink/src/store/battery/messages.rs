//! Instructions are handed out once, and go with their objects when they are answered or over.

use std::collections::HashSet;

use flwr_core::id::RunId;
use flwr_core::run::{Outcome, Phase, RunStatus};

use super::runs::refusal;
use super::world::{NOON, RUN, Sent, TTL, World, blob, key};
use crate::link::state::{Answer, Changed, Role};
use crate::link::wake::Topic;
use flwr_core::refusal::Refusal;

const LATER: f64 = 3600.0 * 24.0;

pub(super) async fn a_message_is_handed_out_when_it_is_whole_and_once(world: World) {
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let sent = Sent::instruction("model", node);
    let (inserted, changed) = world
        .state
        .insert_instructions(RUN, vec![sent.parcel.clone()])
        .await
        .unwrap();
    assert_eq!(inserted.ids, [Some(sent.id())]);
    assert_eq!(inserted.missing.len(), 3);
    assert_eq!(changed, Changed::default());
    for (at, object) in sent.objects.iter().enumerate() {
        assert_eq!(
            world.claim(node, NOON).await,
            None,
            "{at} objects are there"
        );
        let arrived = world
            .state
            .object_arrived(RUN, *object, blob(*object))
            .await
            .unwrap();
        let is_whole = (at == 2).then_some(Topic::Node(node));
        let wake = is_whole.into_iter().collect();
        assert_eq!(
            arrived,
            (
                true,
                Changed {
                    freed: vec![],
                    wake
                }
            )
        );
    }
    let claimed = world.state.claim_message(node, 1, NOON).await.unwrap();
    assert_eq!(claimed, Some(sent.parcel.clone()));
    world.confirm(&sent).await;
    assert_eq!(world.claim(node, NOON).await, None);
}

pub(super) async fn a_node_is_known_by_the_objects_of_its_messages(world: World) {
    let of = async |node, role| world.state.objects_of(RUN, node, role).await.unwrap();
    world.running().await;
    let node = world.node(5, NOON + LATER).await;
    let other = world.node(6, NOON + LATER).await;
    let (mine, others) = (
        world.send("mine", node).await,
        world.send("other", other).await,
    );
    let all = |sent: &Sent| sent.objects.iter().copied().collect::<HashSet<_>>();
    assert_eq!(of(node, Role::Receiver).await, all(&mine));
    assert_eq!(of(other, Role::Receiver).await, all(&others));
    assert_eq!(of(node, Role::Sender).await, HashSet::new());
    world.claim(node, NOON).await.unwrap();
    let reply = world.reply("answer", &mine).await;
    assert_eq!(of(node, Role::Sender).await, all(&reply));
    assert_eq!(of(other, Role::Sender).await, HashSet::new());
    let unknown = world.state.objects_of(RunId(99), node, Role::Sender).await;
    assert_eq!(refusal(unknown), Refusal::UnknownRun(RunId(99)));
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
    world.confirm(&first).await;
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
    let node = world.comes(&key, fresh, NOON + LATER).await.0.node;
    let answered = world.send("answered", node).await;
    let taken = world.send("taken", node).await;
    for sent in [&answered, &taken] {
        assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
        world.confirm(sent).await;
    }
    world.reply("answer", &answered).await;
    // Half a reply: the node died while it pushed.
    let half = Sent::reply("half", &taken);
    world
        .state
        .insert_reply(half.parcel.clone(), NOON)
        .await
        .unwrap();
    world
        .state
        .object_arrived(RUN, half.objects[0], blob(half.objects[0]))
        .await
        .unwrap();

    let (_, changed) = world.comes(&key, fresh, NOON + LATER).await;
    assert_eq!(changed.freed, [half.objects[0]]);
    assert_eq!(world.claim(node, NOON).await, Some(taken.id()));
    world.confirm(&taken).await;
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
    for object in first.0.missing {
        world
            .state
            .object_arrived(RUN, object, blob(object))
            .await
            .unwrap();
    }
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    world.confirm(&sent).await;
    let (again, _) = world
        .state
        .insert_instructions(RUN, parcel())
        .await
        .unwrap();
    assert_eq!((again.ids, again.missing), (vec![Some(sent.id())], vec![]));
    assert_eq!(world.claim(node, NOON).await, None);

    let nobody = Sent::instruction("model", flwr_core::id::NodeId(99));
    let (refused, _) = world
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
    world.confirm(&first).await;
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
        soon,
        (vec![], Changed::default()),
        "who asks now hears that it is expired"
    );
    let mut freed = world
        .state
        .expire(NOON + TTL + 3600.0)
        .await
        .unwrap()
        .1
        .freed;
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
        .1
        .freed
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
            .object_arrived(RUN, sent.id(), blob(sent.id()))
            .await
            .unwrap()
            .0
    );
}
