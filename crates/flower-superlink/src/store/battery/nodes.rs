//! Nodes come, stay, and go.

use flwr_core::id::NodeId;
use flwr_security::key::PublicKey;

use super::world::{NOON, Sent, World, key};
use crate::link::state::{Changed, KnownNode, Registration};
use crate::link::wake::Topic;

pub(super) async fn a_new_key_gets_a_new_node(world: World) {
    let key = key();
    let registered = world.comes(&key, NodeId(5), NOON).await;
    let fresh = Registration {
        node: NodeId(5),
        resumed: false,
    };
    let changed = Changed::wake([Topic::Node(NodeId(5))]);
    assert_eq!(registered, (fresh, changed));
    assert_eq!(
        world.state.node_of_key(&key).await.unwrap(),
        Some(NodeId(5))
    );
}

pub(super) async fn a_key_that_comes_back_has_its_node_again(world: World) {
    let key = key();
    world.comes(&key, NodeId(5), NOON).await;
    let (again, _) = world.comes(&key, NodeId(6), NOON + 60.0).await;
    assert_eq!((again.node, again.resumed), (NodeId(5), true));
    assert_eq!(
        world.state.online_nodes(NOON + 30.0).await.unwrap(),
        [NodeId(5)]
    );
}

pub(super) async fn all_nodes_are_listed_with_their_keys(world: World) {
    let (first, second) = (key(), key());
    for (key, id, until) in [(&second, 9, NOON + 1.0), (&first, 5, NOON + 60.0)] {
        world.comes(key, NodeId(id), until).await;
    }
    assert!(world.is_kept(NodeId(9), NOON + 90.0).await);
    let known = |id, key: &PublicKey, until| KnownNode {
        activated_at: Some(NOON),
        session: 1,
        online_until: until,
        ..KnownNode::registered(NodeId(id), key.clone(), NOON)
    };
    let all = [
        known(5, &first, NOON + 60.0),
        known(9, &second, NOON + 90.0),
    ];
    assert_eq!(world.state.nodes().await.unwrap(), all);
    for node in all {
        assert_eq!(world.state.node(node.id).await.unwrap(), Some(node));
    }
    assert_eq!(world.state.node(NodeId(7)).await.unwrap(), None);
}

pub(super) async fn a_nodes_wire_stays_with_it(world: World) {
    let key = key();
    let register = async || world.comes(&key, NodeId(5), NOON).await;
    register().await;
    let wire = async || world.state.wire(NodeId(5)).await.unwrap();
    assert_eq!(wire().await, None);
    let inline = world.state.note_wire(NodeId(5), "inline");
    inline.await.unwrap();
    register().await;
    assert_eq!(wire().await.as_deref(), Some("inline"));
    let unknown = world.state.note_wire(NodeId(6), "inline");
    unknown.await.unwrap();
    assert_eq!(world.state.wire(NodeId(6)).await.unwrap(), None);
    let known = world.state.node(NodeId(5)).await.unwrap().unwrap();
    assert_eq!(known.wire.as_deref(), Some("inline"));
}

pub(super) async fn a_node_is_online_until_its_time_is_up(world: World) {
    let first = world.node(3, NOON + 30.0).await;
    let second = world.node(4, NOON + 40.0).await;
    assert_eq!(
        world.state.online_nodes(NOON).await.unwrap(),
        [first, second]
    );
    assert_eq!(
        world.state.online_nodes(NOON + 30.0).await.unwrap(),
        [second]
    );
    assert!(world.is_kept(first, NOON + 90.0).await);
    assert_eq!(
        world.state.online_nodes(NOON + 60.0).await.unwrap(),
        [first]
    );
}

pub(super) async fn leases_move_with_a_clock_that_is_set(world: World) {
    let node = world.node(3, NOON + 30.0).await;
    let run = world.running().await;
    assert!(world.app_lives(NOON + 60.0).await);
    for step in [3600.0, -7200.0] {
        world.state.move_leases(step);
    }
    let noon = NOON + -3600.0;
    assert_eq!(world.state.expire(noon + 59.0).await.unwrap().0, []);
    let online = world.state.online_nodes(noon + 29.0).await.unwrap();
    assert_eq!(online, [node]);
    assert_eq!(world.state.online_nodes(noon + 30.0).await.unwrap(), []);
    let expiry = world.state.expire(noon + 61.0).await.unwrap();
    assert_eq!(expiry.0, [run]);
}

pub(super) async fn who_had_time_left_before_the_superlink_was_away_has_it_again(world: World) {
    let there = world.node(3, NOON + 30.0).await;
    let lost = world.node(4, NOON + 5.0).await;
    let run = world.running().await;
    assert!(world.app_lives(NOON + 60.0).await);
    // From ten seconds on nobody could give a sign of life, for 70 s.
    world.state.extend_leases(NOON + 10.0, 70.0);
    assert_eq!(world.state.expire(NOON + 129.0).await.unwrap().0, []);
    let online = world.state.online_nodes(NOON + 99.0).await.unwrap();
    assert_eq!(online, [there]);
    let status = world.state.node(lost).await.unwrap().unwrap();
    assert_eq!(status.online_until, NOON + 5.0, "it was lost before");
    assert_eq!(world.state.online_nodes(NOON + 100.0).await.unwrap(), []);
    let expiry = world.state.expire(NOON + 131.0).await.unwrap();
    assert_eq!(expiry.0, [run]);
    let log = world.state.log_after(run, NOON, usize::MAX).await.unwrap();
    let last = &log.last().unwrap().text;
    assert!(
        last.contains("No heartbeat received from the run."),
        "{last}"
    );
}

pub(super) async fn a_node_is_awaited_until_it_has_answered(world: World) {
    world.running().await;
    let node = world.node(3, NOON + 30.0).await;
    let other = world.node(4, NOON + 30.0).await;
    let is_awaited = async |node| world.state.is_awaited(node).await.unwrap();
    assert!(!is_awaited(node).await);
    let sent = world.send("model", node).await;
    assert!(is_awaited(node).await && !is_awaited(other).await);
    let half = Sent::reply("answer", &sent);
    world.state.insert_reply(half.parcel, NOON).await.unwrap();
    assert!(is_awaited(node).await, "half a reply is none");
    world.reply("answer", &sent).await;
    assert!(!is_awaited(node).await);
}

pub(super) async fn a_node_that_left_is_unknown(world: World) {
    let key = key();
    world.comes(&key, NodeId(5), NOON + 30.0).await;
    let gone = world.state.unregister_node(NodeId(5), NOON).await;
    assert_eq!(gone.unwrap().1, Changed::wake([Topic::Node(NodeId(5))]));
    assert_eq!(world.state.node_of_key(&key).await.unwrap(), None);
    assert_eq!(world.state.session(NodeId(5)).await.unwrap(), None);
    assert!(!world.is_kept(NodeId(5), NOON + 90.0).await);
    assert_eq!(world.state.online_nodes(NOON).await.unwrap(), []);
    let (again, _) = world.comes(&key, NodeId(6), NOON).await;
    assert_eq!((again.node, again.resumed), (NodeId(6), false));
    let again = world.state.unregister_node(NodeId(5), NOON + 1.0).await;
    assert_eq!(again.unwrap().1, Changed::default());
}

pub(super) async fn only_the_message_that_was_handed_out_can_be_confirmed(world: World) {
    let run = world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    let (first, second) = (world.send("1", node).await, world.send("2", node).await);
    assert_eq!(world.claim(node, NOON).await, Some(first.id()));
    world
        .state
        .confirm(run, second.id())
        .await
        .unwrap()
        .1
        .freed
        .clear();
    assert_eq!(
        world.claim(node, NOON).await,
        Some(first.id()),
        "it was lost on the way"
    );
    world
        .state
        .confirm(run, first.id())
        .await
        .unwrap()
        .1
        .freed
        .clear();
    assert_eq!(world.claim(node, NOON).await, Some(second.id()));
}

pub(crate) async fn the_owner_of_a_nodes_certificate_stays_known(world: World) {
    let node = world.node(5, NOON + 60.0).await;
    assert!(!world.state.is_of_node("CN=node-1"));
    for _ in 0..2 {
        world.state.note_certificate("CN=node-1").await.unwrap();
    }
    world.state.unregister_node(node, NOON).await.unwrap();
    assert!(world.state.is_of_node("CN=node-1"));
    assert!(!world.state.is_of_node("CN=node-2"));
}
