//! What is asked often costs what is new, and not what there is.

use std::time::Duration;

use rusqlite::StatementStatus;

use super::*;
use crate::link::state::Nodes as _;

#[tokio::test]
async fn a_node_that_asks_in_vain_is_answered_without_a_read() {
    let place = Place::new();
    let state = Arc::new(SqliteState::open(&place.file(), NOON).unwrap());
    let world = World::new(Arc::clone(&state) as Arc<dyn LinkState>);
    world.running().await;
    let node = world.node(5, NOON + 1e6).await;
    assert_eq!(world.claim(node, NOON).await, None);
    let reads = state.reader.reads();
    for _ in 0..100 {
        assert_eq!(world.claim(node, NOON).await, None);
    }
    assert_eq!(world.claim(NodeId(99), NOON).await, None, "not known");
    assert_eq!(state.reader.reads(), reads);

    let sent = world.send("model", node).await;
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    assert_eq!(
        world.claim(node, NOON).await,
        Some(sent.id()),
        "not confirmed"
    );
    world.state.confirm(RUN, sent.id()).await.unwrap();
    assert_eq!(world.claim(node, NOON).await, None);
    let reads = state.reader.reads();
    assert_eq!(world.claim(node, NOON).await, None);
    assert_eq!(state.reader.reads(), reads);

    // An instruction that is expired is one again when the clock is set back.
    let sent = world.send("other", node).await;
    assert_eq!(world.claim(node, NOON + TTL + 1.0).await, None);
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    drop((world, state));
    let world = place.open(NOON);
    assert_eq!(
        world.claim(node, NOON).await,
        Some(sent.id()),
        "after a restart"
    );
}

#[tokio::test]
async fn looking_for_waiting_tasks_visits_no_other_run() {
    let place = Place::new();
    let world = place.open(NOON);
    world.pending().await;
    world.state.close().await;
    drop(world);
    let connection = Connection::open(place.file()).unwrap();
    let cost = || {
        let mut select = connection.prepare(tasks::WAITING).unwrap();
        let ids = select.query_map(["serverapp"], |row| row.get::<_, i64>(0));
        let ids = ids.unwrap();
        assert_eq!(ids.map(Result::unwrap).collect::<Vec<_>>(), [77]);
        select.get_status(StatementStatus::VmStep)
    };
    let finish = |first: i64, last: i64| {
        let sql = format!(
            "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
             INSERT INTO run (id, fab_id, fab_version, fab_hash, override_config, phase, details,
               pending_at, finished_at, first_context, context)
             SELECT i, '', '', '', x'', 'finished:completed', '', 1.0, 2.0, x'', x'' FROM n;
             INSERT INTO task (id, run, kind)
             SELECT id, id, 'serverapp' FROM run WHERE id BETWEEN {first} AND {last}"
        );
        connection.execute_batch(&sql).unwrap();
    };
    finish(1000, 1000);
    let beside_one = cost();
    finish(1001, 3000);
    assert_eq!(cost(), beside_one);
}

#[tokio::test]
async fn a_sign_of_life_costs_no_commit() {
    let place = Place::new();
    let world = place.open(NOON);
    world.running().await;
    let node = world.node(5, NOON + 60.0).await;
    // Who is online is written, and not again for a while.
    world.state.expire(NOON).await.unwrap();
    let other = Connection::open(place.file()).unwrap();
    let commits = || -> i64 {
        let version = other.pragma_query_value(None, "data_version", |row| row.get(0));
        version.unwrap()
    };
    let before = commits();
    let more = Traffic {
        received: 10,
        sent: 1,
        worked: Duration::from_millis(1),
    };
    for second in 0..29 {
        let now = NOON + f64::from(second);
        let kept = world.state.keep_node(node, now + 60.0, now).await;
        assert!(kept.unwrap());
        world.state.hear_node(node);
        assert!(world.app_lives(now + 60.0).await);
        world.state.add_traffic(RUN, more);
        assert_eq!(world.claim(node, now).await, None);
        world.state.expire(now).await.unwrap();
    }
    assert_eq!(commits(), before);
    world.state.expire(NOON + 31.0).await.unwrap();
    assert_ne!(commits(), before, "all of it is written now");
    drop(world);
    let world = place.open(NOON + 31.0);
    assert!(world.state.was_heard(node));
    let all = Traffic {
        received: 290,
        sent: 29,
        worked: Duration::from_millis(29),
    };
    assert_eq!(world.state.traffic(RUN).await.unwrap(), all);
}

/// Anybody can register nodes where there is no list.
#[tokio::test]
async fn nodes_do_not_count_for_the_limit_of_the_storage() {
    let place = Place::new();
    let state = SqliteState::open(&place.file(), NOON).unwrap();
    let before = state.used().await.unwrap();
    let file = || async { state.usage().await.unwrap() };
    let empty = file().await.file_bytes;
    for id in 0..1_500_u64 {
        // Scattered, as random ids are.
        let id = NodeId((id + 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 2);
        state.register_node(&key(), id, NOON).await.unwrap();
        if id.0.is_multiple_of(3) {
            state.unregister_node(id, NOON).await.unwrap();
        }
    }
    let grown = file().await.file_bytes - empty;
    let counted = state.used().await.unwrap().abs_diff(before);
    assert!(counted < grown / 4, "{counted} of {grown}");
    drop(state);
    let state = SqliteState::open(&place.file(), NOON).unwrap();
    let again = state.used().await.unwrap().abs_diff(before);
    assert!(again < grown / 4, "{again} of {grown}");
}
