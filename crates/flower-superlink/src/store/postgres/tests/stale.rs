//! What is answered right while memory does not have yet what another SuperLink has changed. The rows are
//! written here as by a SuperLink whose word is lost.

use std::time::Duration;

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Phase, RunStatus};
use flwr_security::key::PublicKey;

use super::server::{two, until};
use super::world;
use crate::link::state::{
    APP_FIRST_HEARTBEAT, Answer, Enrolment, Nodes as _, RETURN, Runs as _, StateError, Tasks as _,
    Upkeep as _,
};
use crate::store::battery::world::{NOON, RUN, TASK, key};
use crate::store::postgres::PostgresState;
use crate::store::presence::LATE;

const NODE: NodeId = NodeId(5);

/// Changes rows, and tells nobody.
async fn unheard(state: &PostgresState, sql: &str) {
    let connection = state.pool.get().await.unwrap();
    connection.batch_execute(sql).await.unwrap();
}

/// A node that is online for a minute, at a SuperLink whose word is lost.
async fn unheard_node(state: &PostgresState, key: &PublicKey) {
    let (key, noon) = (key.to_openssh(), NOON.as_secs());
    let sql = format!(
        "INSERT INTO node (id, key, session, heard, registered_at, activated_at, online_until, edition)
         VALUES ({}, '{key}', 1, false, {noon}, {noon}, {noon} + 60, nextval('node_edition'))",
        u64::from(NODE),
    );
    unheard(state, &sql).await;
}

fn enrolment(key: &PublicKey) -> Enrolment {
    Enrolment {
        key: key.clone(),
        owner: "alice-1".to_owned(),
        name: None,
        location: None,
    }
}

#[tokio::test]
async fn a_key_that_a_person_registered_at_one_is_in_use_at_the_other() {
    let [a, b] = two().await;
    let key = key();
    world(&b).comes(&key, NODE, NOON + 60.0).await;
    unheard(
        &a,
        "UPDATE node SET owner = 'bob-1', edition = nextval('node_edition')",
    )
    .await;
    let refused = b.enroll_node(&enrolment(&key), NodeId(6), NOON).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, StateError::Refused(Refusal::KeyInUse)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_reply_of_a_node_that_only_the_other_knows_is_waited_for() {
    let [a, b] = two().await;
    let there = world(&b);
    there.running().await;
    unheard_node(&a, &key()).await;
    let sent = there.send("model", NODE).await;
    let waits = async |now| matches!(there.answer(&sent, now).await, Answer::Waiting { .. });
    assert!(waits(NOON).await);
    // The other hears the node for longer.
    let online = NOON.as_secs() + 300.0;
    unheard(&a, &format!("UPDATE node SET online_until = {online}")).await;
    assert!(waits(NOON + 250.0).await);
    let lost = there.answer(&sent, NOON + (301.0 + LATE)).await;
    assert!(matches!(lost, Answer::NodeLost(_)), "{lost:?}");
}

#[tokio::test]
async fn a_node_whose_key_is_found_is_known_from_then_on() {
    let [a, b] = two().await;
    let key = key();
    unheard_node(&a, &key).await;
    assert!(!b.is_key_of(&key, NODE));
    assert_eq!(b.node_of_key(&key).await.unwrap(), Some(NODE));
    assert!(b.is_key_of(&key, NODE), "its certificate is good");
}

#[tokio::test]
async fn a_key_that_is_registered_again_has_its_node_at_the_other_at_once() {
    let [a, b] = two().await;
    let key = key();
    unheard_node(&a, &key).await;
    let (again, _) = b.register_node(&key, NodeId(6), NOON).await.unwrap();
    assert_eq!((again.node, again.resumed), (NODE, true));
    b.hear_node(NODE);
    assert!(b.was_heard(NODE));
}

#[tokio::test]
async fn a_node_that_was_unregistered_at_one_is_registered_anew_at_the_other() {
    let [a, b] = two().await;
    let key = key();
    world(&b).comes(&key, NODE, NOON + 60.0).await;
    unheard(
        &a,
        "UPDATE node SET unregistered_at = 1, session = session + 1",
    )
    .await;
    let refused = b.activate_node(NODE, NOON + 60.0, NOON).await.unwrap_err();
    assert!(
        matches!(refused, StateError::Refused(Refusal::NotRegistered)),
        "{refused:?}"
    );
    assert_eq!(b.node_of_key(&key).await.unwrap(), None);
    assert!(!world(&b).comes(&key, NodeId(6), NOON).await.0.resumed);
}

#[tokio::test]
async fn a_key_that_is_dismissed_at_one_is_so_at_the_other() {
    let [a, b] = two().await;
    let key = key();
    for node in [NODE, NodeId(6)] {
        let enrolled = a.enroll_node(&enrolment(&key), node, NOON).await;
        assert_eq!(enrolled.unwrap().0, node);
        until("the key is registered", async || {
            b.is_key_of(&key, node) && !b.is_dismissed(&key)
        })
        .await;
        a.dismiss_node(node, NOON).await.unwrap();
        until("the key is dismissed", async || b.is_dismissed(&key)).await;
    }
}

/// A standby that lags behind takes over from its server, and has not what was committed last.
#[tokio::test]
async fn a_session_that_a_failover_took_back_is_over() {
    let [a, b] = two().await;
    let key = key();
    for _ in 0..2 {
        world(&b).comes(&key, NODE, NOON + 60.0).await;
    }
    assert_eq!(b.session(NODE).await.unwrap(), Some(2));
    unheard(&a, "UPDATE node SET session = 1, edition = edition - 1").await;
    b.catch_up(NOON).await.unwrap();
    assert_eq!(b.session(NODE).await.unwrap(), Some(1));
}

/// The database was away, and nobody has written yet what it heard meanwhile.
#[tokio::test]
async fn nobody_is_lost_by_an_outage_of_the_database() {
    let [a, b] = two().await;
    let here = world(&a);
    here.pending().await;
    for phase in [Phase::Starting, Phase::Running] {
        here.change(phase).await;
    }
    let node = here.node(5, NOON + 60.0).await;
    let sent = here.send("model", node).await;
    assert!(a.keep_task(TASK, NOON + 60.0).await.unwrap());
    a.write_signs(NOON).await.unwrap();
    b.catch_up(NOON).await.unwrap();
    b.followed.lock().age(Duration::from_secs(60));
    a.catch_up(NOON).await.unwrap();
    a.followed.lock().age(Duration::from_secs(60));
    let back = NOON + (61.0 + LATE);
    assert_eq!(a.online_nodes(back).await.unwrap(), [node]);
    assert_eq!(a.expire(back).await.unwrap().0, []);
    let there = world(&b);
    let answer = there.answer(&sent, back).await;
    assert!(matches!(answer, Answer::Waiting { .. }), "{answer:?}");
    assert_eq!(b.expire(back).await.unwrap().0, []);
    assert_eq!(b.online_nodes(back).await.unwrap(), [node]);
    // Nothing comes: they are lost a while after that.
    let later = back + (RETURN + LATE + 1.0);
    assert_eq!(b.online_nodes(later).await.unwrap(), []);
    let answer = there.answer(&sent, later).await;
    assert!(matches!(answer, Answer::NodeLost(_)), "{answer:?}");
    assert_eq!(b.expire(later).await.unwrap().0, [RUN]);
}

/// Between two looks of the other.
#[tokio::test]
async fn a_run_that_begins_again_at_one_has_the_time_to_do_so_at_the_other() {
    let [a, b] = two().await;
    let here = world(&a);
    here.pending().await;
    here.change(Phase::Starting).await;
    assert!(a.keep_task(TASK, NOON + 60.0).await.unwrap());
    a.write_signs(NOON).await.unwrap();
    b.catch_up(NOON).await.unwrap();
    a.rewind_run(RUN).await.unwrap();
    let starting = RunStatus::plain(Phase::Starting);
    a.change_run(RUN, starting, NOON + 40.0).await.unwrap();
    let lost = async |seconds| b.expire(NOON + seconds).await.unwrap().0;
    assert_eq!(lost(41.0).await, []);
    assert_eq!(lost(40.0 + APP_FIRST_HEARTBEAT).await, []);
    assert_eq!(lost(42.0 + LATE + APP_FIRST_HEARTBEAT).await, [RUN]);
}
