//! What holds of several SuperLinks where one SuperLink is exact: for how long a sign of life counts that
//! another has heard, what a clock moves, and who lets go of a process.

use std::sync::Arc;

use flwr_core::id::NodeId;
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::{Outcome, Phase};
use flwr_core::task::TaskKind;
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;

use super::server::two;
use super::world;
use crate::link::state::{
    APP_FIRST_CONTACT, APP_FIRST_HEARTBEAT, Answer, Nodes as _, Process, StateError, Tasks as _,
    Upkeep as _,
};
use crate::link::wake::Topic;
use crate::store::battery::world::{NOON, RUN, TASK};
use crate::store::postgres::PostgresState;
use crate::store::presence::LATE;

/// Writes what one has heard, and reads that at the other.
async fn hears(from: &PostgresState, to: &PostgresState) {
    from.write_signs(NOON).await.unwrap();
    to.catch_up(NOON).await.unwrap();
}

async fn online(state: &PostgresState, now: Timestamp) -> Vec<NodeId> {
    state.online_nodes(now).await.unwrap()
}

/// Until when the node is online by its row.
async fn row_of(state: &PostgresState, node: NodeId) -> Timestamp {
    let connection = state.pool.get().await.unwrap();
    let sql = "SELECT online_until FROM node WHERE id = $1";
    let row = connection
        .query_one(sql, &[&u64::from(node).cast_signed()])
        .await;
    Timestamp::from_secs(row.unwrap().get(0))
}

/// Until when the ServerApp counts as alive by its row.
async fn row_of_task(state: &PostgresState) -> Timestamp {
    let connection = state.pool.get().await.unwrap();
    let row = connection.query_one("SELECT alive_until FROM task", &[]);
    Timestamp::from_secs(row.await.unwrap().get(0))
}

async fn starting(state: &Arc<PostgresState>) {
    let here = world(state);
    here.pending().await;
    here.change(Phase::Starting).await;
}

#[tokio::test]
async fn a_node_that_another_superlink_hears_is_online_a_little_longer() {
    let [a, b] = two().await;
    let node = world(&a).node(5, NOON + 30.0).await;
    hears(&a, &b).await;
    assert_eq!(online(&a, NOON + 30.0).await, []);
    assert_eq!(online(&b, NOON + (29.5 + LATE)).await, [node]);
    assert_eq!(online(&b, NOON + (30.0 + LATE)).await, []);
    // Its times are as they were heard.
    let known = b.node(node).await.unwrap().unwrap();
    assert_eq!(known.online_until, NOON + 30.0);
    // Whoever hears it last is exact.
    b.keep_node(node, NOON + 90.0, NOON + 20.0).await.unwrap();
    hears(&b, &a).await;
    assert_eq!(online(&b, NOON + 90.0).await, []);
    assert_eq!(online(&a, NOON + (89.5 + LATE)).await, [node]);
    // A node that left has said so.
    a.deactivate_node(node, NOON + 50.0).await.unwrap();
    hears(&a, &b).await;
    assert_eq!(online(&b, NOON + 50.0).await, []);
}

#[tokio::test]
async fn a_reply_of_a_node_that_another_superlink_hears_is_waited_for_a_little_longer() {
    let [a, b] = two().await;
    let (here, there) = (world(&a), world(&b));
    here.running().await;
    let node = here.node(5, NOON + 30.0).await;
    let sent = here.send("model", node).await;
    hears(&a, &b).await;
    let until = NOON + (30.0 + LATE);
    assert_eq!(there.answer(&sent, NOON).await, Answer::Waiting { until });
    assert!(matches!(
        there.answer(&sent, until + 1.0).await,
        Answer::NodeLost(_)
    ));
    let at_its_own = here.answer(&sent, NOON + 31.0).await;
    assert!(matches!(at_its_own, Answer::NodeLost(_)), "{at_its_own:?}");
}

#[tokio::test]
async fn a_run_is_lost_a_little_later_where_another_superlink_hears_its_serverapp() {
    let [a, b] = two().await;
    starting(&a).await;
    assert!(a.keep_task(TASK, NOON + 60.0).await.unwrap());
    hears(&a, &b).await;
    let lost = async |now| b.expire(now).await.unwrap().0;
    assert_eq!(lost(NOON + (59.0 + LATE)).await, []);
    assert_eq!(lost(NOON + (61.0 + LATE)).await, [RUN]);
}

#[tokio::test]
async fn a_run_that_never_gives_a_sign_of_life_is_lost_a_little_later_elsewhere() {
    let [a, b] = two().await;
    starting(&a).await;
    hears(&a, &b).await;
    let lost = async |now| b.expire(now).await.unwrap().0;
    assert_eq!(lost(NOON + (APP_FIRST_HEARTBEAT + LATE - 1.0)).await, []);
    let late = NOON + (APP_FIRST_HEARTBEAT + LATE + 1.0);
    assert_eq!(lost(late).await, [RUN]);
}

#[tokio::test]
async fn a_sign_of_life_that_was_heard_later_elsewhere_stays() {
    let [a, b] = two().await;
    starting(&a).await;
    let node = world(&a).node(5, NOON + 30.0).await;
    hears(&a, &b).await;
    for (state, until) in [(&a, 90.0), (&b, 120.0)] {
        let (until, now) = (NOON + until, NOON + (until - 60.0));
        assert!(state.keep_node(node, until, now).await.unwrap());
        assert!(state.keep_task(TASK, until).await.unwrap());
    }
    for state in [&b, &a] {
        state.write_signs(NOON).await.unwrap();
        assert_eq!(row_of(&a, node).await, NOON + 120.0);
        assert_eq!(row_of_task(&a).await, NOON + 120.0);
    }
    // The same SuperLink hears that the node will come sooner.
    assert!(b.keep_node(node, NOON + 100.0, NOON + 80.0).await.unwrap());
    b.write_signs(NOON).await.unwrap();
    assert_eq!(row_of(&a, node).await, NOON + 100.0);
}

#[tokio::test]
async fn what_another_superlink_heard_is_not_written_as_heard_here() {
    let [a, b] = two().await;
    starting(&a).await;
    let node = world(&a).node(5, NOON + 30.0).await;
    assert!(b.keep_node(node, NOON + 40.0, NOON).await.unwrap());
    assert!(a.keep_task(TASK, NOON + 60.0).await.unwrap());
    assert!(b.keep_task(TASK, NOON + 40.0).await.unwrap());
    assert!(a.keep_node(node, NOON + 60.0, NOON).await.unwrap());
    hears(&a, &b).await;
    assert!(!b.was_heard(node));
    b.hear_node(node);
    b.extend_leases(NOON, 10.0);
    hears(&b, &a).await;
    assert!(a.was_heard(node));
    assert_eq!(row_of(&b, node).await, NOON + 60.0);
    assert_eq!(row_of_task(&b).await, NOON + 60.0);
}

#[tokio::test]
async fn a_superlink_whose_clock_is_set_moves_what_it_heard_itself() {
    let [a, b] = two().await;
    starting(&a).await;
    let mine = world(&a).node(5, NOON + 30.0).await;
    let others = world(&b).node(6, NOON + 30.0).await;
    assert!(a.keep_task(TASK, NOON + 60.0).await.unwrap());
    hears(&a, &b).await;
    hears(&b, &a).await;
    // The clock of one was an hour ahead.
    a.move_leases(-3600.0);
    hears(&a, &b).await;
    assert_eq!(row_of(&a, mine).await, NOON + -3570.0);
    assert_eq!(row_of_task(&a).await, NOON + -3540.0);
    assert_eq!(row_of(&a, others).await, NOON + 30.0);
    assert_eq!(online(&b, NOON + (LATE - 3570.5)).await, [mine, others]);
    assert_eq!(online(&b, NOON + (LATE - 3570.0)).await, [others]);
    // What was heard meanwhile at the other stands.
    assert!(b.keep_task(TASK, NOON + 60.0).await.unwrap());
    assert!(b.keep_node(mine, NOON + 60.0, NOON).await.unwrap());
    b.write_signs(NOON).await.unwrap();
    a.move_leases(-10.0);
    a.write_signs(NOON).await.unwrap();
    assert_eq!(row_of(&a, mine).await, NOON + 60.0);
    assert_eq!(row_of_task(&a).await, NOON + 60.0);
}

/// All clocks follow that of the database, and each SuperLink notices a step by itself.
#[tokio::test]
async fn a_step_of_all_clocks_loses_nobody_in_whatever_order_it_is_noticed() {
    for seconds in [3600.0, -3600.0] {
        for is_seen_first in [true, false] {
            let [a, b] = two().await;
            starting(&a).await;
            let node = world(&a).node(5, NOON + 30.0).await;
            assert!(a.keep_task(TASK, NOON + 30.0).await.unwrap());
            hears(&a, &b).await;
            if !is_seen_first {
                b.move_leases(seconds);
            }
            a.move_leases(seconds);
            hears(&a, &b).await;
            if is_seen_first {
                b.move_leases(seconds);
            }
            let now = NOON + seconds;
            assert_eq!(online(&b, now + 29.0).await, [node]);
            assert_eq!(b.expire(now + 29.0).await.unwrap().0, []);
            // The next sign of life is as long as it says.
            a.keep_node(node, now + 60.0, now + 29.0).await.unwrap();
            assert!(a.keep_task(TASK, now + 60.0).await.unwrap());
            hears(&a, &b).await;
            assert_eq!(online(&b, now + (60.0 + LATE)).await, []);
            assert_eq!(b.expire(now + (61.0 + LATE)).await.unwrap().0, [RUN]);
        }
    }
}

#[tokio::test]
async fn a_node_that_goes_on_after_its_session_was_ended_is_online_everywhere() {
    let [a, b] = two().await;
    let node = world(&a).node(5, NOON + 30.0).await;
    a.deactivate_node(node, NOON + 5.0).await.unwrap();
    hears(&a, &b).await;
    assert_eq!(online(&b, NOON + 6.0).await, []);
    assert!(a.keep_node(node, NOON + 70.0, NOON + 10.0).await.unwrap());
    hears(&a, &b).await;
    assert_eq!(online(&b, NOON + 11.0).await, [node]);
    let known = b.node(node).await.unwrap();
    assert_eq!(known, a.node(node).await.unwrap());
}

#[tokio::test]
async fn a_process_is_let_go_of_by_the_superlink_that_has_noted_it() {
    let [a, b] = two().await;
    world(&a).pending().await;
    let token = ObjectId::of(b"token");
    assert!(a.claim_task(TASK, token, NOON).await.unwrap());
    // Another that lets go of an earlier process does not take the task.
    b.set_process(TASK, None).await.unwrap();
    let left = async |state: &PostgresState| state.left_tasks(TaskKind::ServerApp).await.unwrap();
    assert_eq!((left(&a).await.len(), left(&b).await.len()), (1, 0));
    let process = Process {
        host: "here".to_owned(),
        identity: Identity {
            pid: 7,
            started: "then".to_owned(),
        },
    };
    a.set_process(TASK, Some(process)).await.unwrap();
    b.set_process(TASK, None).await.unwrap();
    let later = NOON + APP_FIRST_CONTACT;
    assert_eq!(b.expire(later).await.unwrap().1.wake, []);
    assert!(b.task_of_token(token).await.is_ok());
    for phase in [Phase::Starting, Phase::Finished(Outcome::Stopped)] {
        world(&b).change(phase).await;
    }
    let refused = b.delete_run(RUN).await.unwrap_err();
    let lives = Refusal::ProcessLives(RUN);
    assert!(matches!(refused, StateError::Refused(refusal) if refusal == lives));
    let ((), changed) = a.set_process(TASK, None).await.unwrap();
    assert_eq!(changed.wake, [Topic::Run(RUN)]);
    b.delete_run(RUN).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_nobody_uses_expires_at_any_superlink() {
    let [a, b] = two().await;
    world(&a).pending().await;
    let token = ObjectId::of(b"token");
    assert!(a.claim_task(TASK, token, NOON).await.unwrap());
    let later = NOON + APP_FIRST_CONTACT;
    let wakes = async |now| b.expire(now).await.unwrap().1.wake;
    assert_eq!(wakes(later + -1.0).await, []);
    assert_eq!(wakes(later).await, [Topic::Pending]);
    assert!(a.task_of_token(token).await.is_err());
}
