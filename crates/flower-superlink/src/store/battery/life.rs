//! The life of a node: registered, online, offline, and gone for good.

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::runs::refusal;
use super::world::{NOON, World, key};
use crate::link::state::{Changed, Enrolment, KnownNode, NodeStatus, Traits};
use crate::link::wake::Topic;

const NODE: NodeId = NodeId(5);

/// What alice says of a node with this key.
pub(super) fn enrolment(key: &PublicKey) -> Enrolment {
    Enrolment {
        key: key.clone(),
        owner: "alice-1".to_owned(),
        name: Some("ward 7".to_owned()),
        location: Some("48.1,11.6".to_owned()),
    }
}

impl World {
    async fn known(&self) -> KnownNode {
        self.state.node(NODE).await.unwrap().unwrap()
    }

    async fn activate(&self, until: Timestamp, now: Timestamp) -> u64 {
        let activated = self.state.activate_node(NODE, until, now).await;
        let (session, changed) = activated.unwrap();
        assert_eq!(changed.wake, [Topic::Node(NODE)]);
        session
    }
}

pub(super) async fn a_registered_node_is_not_online(world: World) {
    let key = key();
    let state = &world.state;
    let owned = state.enroll_node(&enrolment(&key), NODE, NOON).await;
    assert_eq!(owned.unwrap(), (NODE, Changed::default()));
    let known = world.known().await;
    assert_eq!(known.status(NOON), NodeStatus::Registered);
    assert_eq!(known.owner.as_deref(), Some("alice-1"));
    assert_eq!((known.registered_at, known.session), (Some(NOON), 0));
    assert_eq!(state.online_nodes(NOON).await.unwrap(), []);
    assert_eq!(state.node_of_key(&key).await.unwrap(), Some(NODE));

    // The key is bound: whoever registers it again changes nothing.
    let again = state.register_node(&key, NodeId(6), NOON + 1.0).await;
    let (again, _) = again.unwrap();
    assert_eq!((again.node, again.resumed), (NODE, true));
    assert_eq!(world.known().await, known);
    let unknown = state.activate_node(NodeId(6), NOON + 30.0, NOON).await;
    assert_eq!(refusal(unknown), Refusal::NotRegistered);
}

pub(super) async fn each_step_of_a_life_has_its_time(world: World) {
    let at = |seconds| NOON + seconds;
    world.comes(&key(), NODE, at(30.0)).await;
    let times = async |now| {
        let known = world.known().await;
        let left = known.last_deactivated_at(now);
        (known.status(now), known.activated_at, left)
    };
    let online = NodeStatus::Online;
    assert_eq!(times(at(1.0)).await, (online, Some(NOON), None));
    // Its time is up, and it returns.
    let offline = (NodeStatus::Offline, Some(NOON), Some(at(30.0)));
    assert_eq!(times(at(40.0)).await, offline);
    let state = &world.state;
    assert!(state.keep_node(NODE, at(110.0), at(50.0)).await.unwrap());
    let returned = (online, Some(at(50.0)), Some(at(30.0)));
    assert_eq!(times(at(60.0)).await, returned);
    assert!(state.keep_node(NODE, at(120.0), at(60.0)).await.unwrap());
    assert_eq!(times(at(60.0)).await, returned, "it was there");

    let left = state.deactivate_node(NODE, at(70.0)).await;
    assert_eq!(left.unwrap().1.wake, [Topic::Node(NODE)]);
    let offline = (NodeStatus::Offline, Some(at(50.0)), Some(at(70.0)));
    assert_eq!(times(at(70.0)).await, offline);
    assert_eq!(state.online_nodes(at(70.0)).await.unwrap(), []);
    world.activate(at(200.0), at(80.0)).await;
    let returned = (online, Some(at(80.0)), Some(at(70.0)));
    assert_eq!(times(at(80.0)).await, returned);

    state.unregister_node(NODE, at(90.0)).await.unwrap();
    let gone = (NodeStatus::Unregistered, Some(at(80.0)), Some(at(90.0)));
    assert_eq!(times(at(90.0)).await, gone);
    assert_eq!(world.known().await.unregistered_at, Some(at(90.0)));
}

pub(super) async fn sessions_follow_each_other(world: World) {
    world.comes(&key(), NODE, NOON + 30.0).await;
    let session = async || world.state.session(NODE).await.unwrap();
    assert_eq!(session().await, Some(1));
    assert_eq!(world.activate(NOON + 60.0, NOON).await, 2);
    world.state.deactivate_node(NODE, NOON).await.unwrap();
    assert_eq!(session().await, Some(3));
    assert_eq!(world.activate(NOON + 60.0, NOON).await, 4);
    let unknown = world.state.deactivate_node(NodeId(6), NOON).await;
    assert_eq!(unknown.unwrap().1, Changed::default());
    assert_eq!(world.state.session(NodeId(6)).await.unwrap(), None);
}

pub(super) async fn a_call_of_an_earlier_session_takes_nothing(world: World) {
    world.running().await;
    let key = key();
    world.comes(&key, NODE, NOON + 60.0).await;
    let earlier = world.state.session(NODE).await.unwrap().unwrap();
    world.comes(&key, NODE, NOON + 60.0).await;
    let sent = world.send("model", NODE).await;
    let claim = async |session| {
        let claimed = world.state.claim_message(NODE, session, NOON).await;
        claimed.unwrap().map(|parcel| parcel.message.metadata.id)
    };
    assert_eq!(claim(earlier).await, None);
    assert_eq!(claim(earlier + 1).await, Some(sent.id()));
    // Nor is what is in hand given away.
    assert_eq!(claim(earlier).await, None);
    world.state.deactivate_node(NODE, NOON).await.unwrap();
    assert_eq!(claim(earlier + 1).await, None);
    world.state.unregister_node(NODE, NOON).await.unwrap();
    assert_eq!(claim(earlier + 2).await, None);
    assert_eq!(claim(earlier + 3).await, None);
}

pub(super) async fn a_node_is_heard_in_its_session(world: World) {
    let state = &world.state;
    let key = key();
    world.comes(&key, NODE, NOON + 60.0).await;
    assert!(!state.was_heard(NODE));
    state.hear_node(NODE);
    assert!(state.was_heard(NODE));
    world.comes(&key, NODE, NOON + 60.0).await;
    assert!(!state.was_heard(NODE), "another session");
    state.hear_node(NodeId(6));
    assert!(!state.was_heard(NodeId(6)), "it is not known");
}

pub(super) async fn an_unregistered_node_is_forgotten_after_a_while(world: World) {
    let state = &world.state;
    world.comes(&key(), NODE, NOON + 30.0).await;
    state.unregister_node(NODE, NOON + 100.0).await.unwrap();
    assert_eq!(state.usage().await.unwrap().nodes, 0);
    assert_eq!(state.nodes().await.unwrap(), [world.known().await]);
    let forget = async |moment| state.forget_node(NODE, moment).await.unwrap().0;
    assert!(!forget(NOON + 100.0).await, "it was known till then");
    assert!(forget(NOON + 101.0).await);
    assert_eq!(state.node(NODE).await.unwrap(), None);
    assert_eq!(state.nodes().await.unwrap(), []);
}

pub(super) async fn a_node_that_registered_itself_gets_its_owner(world: World) {
    let key = key();
    world.comes(&key, NODE, NOON + 30.0).await;
    let enrolled = world
        .state
        .enroll_node(&enrolment(&key), NodeId(6), NOON)
        .await;
    assert_eq!(enrolled.unwrap().0, NODE, "it is the same node");
    let known = world.known().await;
    assert_eq!(known.owner.as_deref(), Some("alice-1"));
    assert_eq!(known.name.as_deref(), Some("ward 7"));
    assert_eq!(known.location.as_deref(), Some("48.1,11.6"));
    assert_eq!(known.status(NOON), NodeStatus::Online);
    let again = world
        .state
        .enroll_node(&enrolment(&key), NodeId(6), NOON)
        .await;
    assert_eq!(refusal(again), Refusal::KeyInUse);
    assert_eq!(world.known().await, known);
}

pub(super) async fn a_dismissed_key_is_so_until_it_is_enrolled_again(world: World) {
    let (key, state) = (key(), &world.state);
    state
        .enroll_node(&enrolment(&key), NODE, NOON)
        .await
        .unwrap();
    world.activate(NOON + 30.0, NOON).await;
    assert!(state.is_key_of(&key, NODE));
    assert!(!state.is_key_of(&key, NodeId(6)), "of another node");
    let gone = state.dismiss_node(NODE, NOON + 1.0).await.unwrap().1;
    assert_eq!(gone, Changed::wake([Topic::Node(NODE)]));
    assert!(state.is_dismissed(&key));
    assert!(!state.is_key_of(&key, NODE), "the node is gone");
    let known = world.known().await;
    assert_eq!(known.status(NOON + 1.0), NodeStatus::Unregistered);
    assert_eq!(state.session(NODE).await.unwrap(), None);
    let again = state.dismiss_node(NODE, NOON + 2.0).await.unwrap().1;
    assert_eq!(again, Changed::default());
    let other = NodeId(6);
    let enrolled = state.enroll_node(&enrolment(&key), other, NOON + 3.0).await;
    assert_eq!(enrolled.unwrap().0, other, "a new id");
    assert!(!state.is_dismissed(&key));
}

pub(super) async fn what_was_seen_of_a_node_stays_with_it(world: World) {
    world.comes(&key(), NODE, NOON + 30.0).await;
    let traits = Traits {
        release: Some("1.31.0".to_owned()),
        certificate: Some("CN=node-1".to_owned()),
    };
    world.state.note_traits(NODE, &traits).await.unwrap();
    world.state.note_traits(NodeId(9), &traits).await.unwrap();
    world.activate(NOON + 60.0, NOON).await;
    assert_eq!(world.known().await.traits, traits);
}
