//! Nodes join by tokens, and change their keys.

use flwr_core::id::NodeId;
use flwr_core::refusal::{JoinRefusal, Refusal};
use flwr_security::joining::JoinTokenId;

use super::runs::refusal;
use super::world::{NOON, World, key};
use crate::link::state::{Changed, KnownToken, NodeStatus};
use crate::link::wake::Topic;

const TOKEN: JoinTokenId = JoinTokenId([7; 8]);
const NODE: NodeId = NodeId(5);
const OTHER: NodeId = NodeId(6);

/// A token of alice's for an hour.
pub(in crate::store) fn token(uses: u32) -> KnownToken {
    KnownToken {
        id: TOKEN,
        secret: [9; 32],
        owner: "alice-1".to_owned(),
        name: Some("ward 7".to_owned()),
        address: "superlink.example:9092".to_owned(),
        issued_at: NOON,
        expires_at: NOON + 3_600.0,
        uses,
        revoked_at: None,
        used: Vec::new(),
    }
}

impl World {
    async fn with_token(self, uses: u32) -> Self {
        self.state.add_join_token(&token(uses)).await.unwrap();
        self
    }

    async fn token(&self) -> KnownToken {
        self.state.join_token(TOKEN).await.unwrap().unwrap()
    }
}

pub(super) async fn a_node_that_joins_belongs_to_who_made_the_token(world: World) {
    let world = world.with_token(1).await;
    assert_eq!(world.token().await, token(1));
    let (key, state) = (key(), &world.state);
    let joined = state.join_node(TOKEN, &key, NODE, NOON + 5.0).await;
    assert_eq!(joined.unwrap(), (NODE, Changed::default()));
    let known = state.node(NODE).await.unwrap().unwrap();
    assert_eq!(known.owner.as_deref(), Some("alice-1"));
    assert_eq!(known.name.as_deref(), Some("ward 7"));
    assert_eq!(known.status(NOON + 5.0), NodeStatus::Registered);
    assert_eq!(state.node_of_key(&key).await.unwrap(), Some(NODE));
    let token = world.token().await;
    assert_eq!(token.uses_left(), 0);
    let [used] = &token.used[..] else {
        panic!("{token:?}")
    };
    assert_eq!((&used.key, used.node, used.at), (&key, NODE, NOON + 5.0));
    assert_eq!(state.join_tokens().await.unwrap(), [token]);
}

pub(super) async fn a_token_is_used_as_often_as_it_says(world: World) {
    let world = world.with_token(2).await;
    let state = &world.state;
    for node in [NODE, OTHER] {
        state.join_node(TOKEN, &key(), node, NOON).await.unwrap();
    }
    let third = state.join_node(TOKEN, &key(), NodeId(7), NOON).await;
    assert_eq!(refusal(third), JoinRefusal::UsedUp.into());
    assert_eq!(state.node(NodeId(7)).await.unwrap(), None);
    let unknown = JoinTokenId([8; 8]);
    let none = state.join_node(unknown, &key(), NodeId(7), NOON).await;
    assert_eq!(refusal(none), JoinRefusal::UnknownToken.into());
    assert_eq!(state.join_token(unknown).await.unwrap(), None);
}

pub(super) async fn a_key_that_joined_joins_again_as_the_same_node(world: World) {
    let world = world.with_token(1).await;
    let (key, state) = (key(), &world.state);
    state.join_node(TOKEN, &key, NODE, NOON).await.unwrap();
    // The token is used up and has expired: the answer to the first call was lost.
    let late = NOON + 4_000.0;
    let again = state.join_node(TOKEN, &key, OTHER, late).await;
    assert_eq!(again.unwrap().0, NODE);
    assert_eq!(world.token().await.used.len(), 1);
    state.dismiss_node(NODE, late).await.unwrap();
    let gone = state.join_node(TOKEN, &key, OTHER, late).await;
    assert_eq!(refusal(gone), JoinRefusal::Gone.into());
}

pub(super) async fn a_token_that_is_over_is_refused(world: World) {
    let world = world.with_token(2).await;
    let (first, state) = (key(), &world.state);
    state.join_node(TOKEN, &first, NODE, NOON).await.unwrap();
    let late = NOON + 3_600.0;
    let expired = state.join_node(TOKEN, &key(), OTHER, late).await;
    assert_eq!(refusal(expired), JoinRefusal::Expired.into());
    for at in [NOON + 1.0, NOON + 2.0] {
        state.revoke_join_token(TOKEN, at).await.unwrap();
        assert_eq!(world.token().await.revoked_at, Some(NOON + 1.0));
    }
    for key in [&key(), &first] {
        let revoked = state.join_node(TOKEN, key, OTHER, NOON + 3.0).await;
        assert_eq!(refusal(revoked), JoinRefusal::Revoked.into());
    }
    // The node that joined stays.
    assert_eq!(state.node_of_key(&first).await.unwrap(), Some(NODE));
}

pub(super) async fn a_key_that_is_registered_does_not_join(world: World) {
    let world = world.with_token(2).await;
    let (key, state) = (key(), &world.state);
    world.comes(&key, NODE, NOON + 60.0).await;
    // A node that registered itself gets its owner.
    let joined = state.join_node(TOKEN, &key, OTHER, NOON).await;
    assert_eq!(joined.unwrap().0, NODE);
    let second = KnownToken {
        id: JoinTokenId([8; 8]),
        ..token(1)
    };
    state.add_join_token(&second).await.unwrap();
    let twice = state.join_node(second.id, &key, OTHER, NOON).await;
    assert_eq!(refusal(twice), Refusal::KeyInUse);
    let kept = state.join_token(second.id).await.unwrap().unwrap();
    assert_eq!(kept.uses_left(), 1);
}

pub(super) async fn tokens_are_forgotten_a_while_after_their_end(world: World) {
    let world = world.with_token(1).await;
    let state = &world.state;
    let forgotten = async |moment| state.forget_join_tokens(moment).await.unwrap();
    assert_eq!(forgotten(NOON + 3_600.0).await, 0);
    state.join_node(TOKEN, &key(), NODE, NOON).await.unwrap();
    assert_eq!(forgotten(NOON).await, 0);
    assert_eq!(forgotten(NOON + 1.0).await, 1, "it was used up");
    assert_eq!(state.join_tokens().await.unwrap(), []);
    let world = world.with_token(1).await;
    let token = world.token().await;
    assert_eq!(token.used, [], "nothing is left of the one before");
    world
        .state
        .revoke_join_token(TOKEN, NOON + 5.0)
        .await
        .unwrap();
    let forgotten = world.state.forget_join_tokens(NOON + 6.0).await;
    assert_eq!(forgotten.unwrap(), 1);
}

pub(super) async fn a_node_has_its_next_key_once_it_uses_that(world: World) {
    let (old, new, state) = (key(), key(), &world.state);
    world.comes(&old, NODE, NOON + 60.0).await;
    state.hear_node(NODE);
    assert_eq!(state.use_next_key(&new).await.unwrap().0, None);
    // Of two keys the last one counts.
    for next in [&key(), &new] {
        state.note_next_key(NODE, next).await.unwrap();
    }
    assert_eq!(state.node_of_next_key(&new).await.unwrap(), Some(NODE));
    assert_eq!(state.node_of_key(&new).await.unwrap(), None);
    assert_eq!(state.node_of_key(&old).await.unwrap(), Some(NODE));
    let session = state.session(NODE).await.unwrap().unwrap();
    let (node, changed) = state.use_next_key(&new).await.unwrap();
    assert_eq!((node, changed.wake), (Some(NODE), vec![Topic::Node(NODE)]));
    assert_eq!(state.node_of_key(&new).await.unwrap(), Some(NODE));
    assert_eq!(state.node_of_key(&old).await.unwrap(), None);
    assert_eq!(state.node_of_next_key(&new).await.unwrap(), None);
    assert_eq!(state.session(NODE).await.unwrap(), Some(session + 1));
    assert_eq!(state.online_nodes(NOON).await.unwrap(), [NODE]);
    assert!(state.was_heard(NODE), "no message waits for a sign of life");
    let known = state.node(NODE).await.unwrap().unwrap();
    assert_eq!((known.key, known.next_key), (new, None));
}

pub(super) async fn a_next_key_is_of_one_node_only(world: World) {
    let (one, other, next, state) = (key(), key(), key(), &world.state);
    world.comes(&one, NODE, NOON + 60.0).await;
    world.comes(&other, OTHER, NOON + 60.0).await;
    state.note_next_key(NODE, &next).await.unwrap();
    for (node, taken) in [(OTHER, &next), (OTHER, &one), (OTHER, &other)] {
        let refused = state.note_next_key(node, taken).await;
        assert_eq!(refusal(refused), Refusal::KeyInUse);
    }
    let unknown = state.note_next_key(NodeId(9), &key()).await;
    assert_eq!(refusal(unknown), Refusal::NotRegistered);
    // With the node its next key goes, and is free.
    state.unregister_node(NODE, NOON).await.unwrap();
    assert_eq!(state.use_next_key(&next).await.unwrap().0, None);
    state.note_next_key(OTHER, &next).await.unwrap();
    assert_eq!(state.use_next_key(&next).await.unwrap().0, Some(OTHER));
}
