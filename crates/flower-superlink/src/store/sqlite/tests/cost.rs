//! What is asked often costs what is new, and not what there is.

use rusqlite::StatementStatus;

use super::*;

#[tokio::test]
async fn a_node_that_asks_in_vain_is_answered_without_a_read() {
    let place = Place::new();
    let state = Arc::new(SqliteState::open(&place.file(), NOON).unwrap());
    let world = World::new(Arc::clone(&state) as Arc<dyn crate::link::state::LinkState>);
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
async fn looking_for_pending_runs_visits_no_other() {
    let place = Place::new();
    let world = place.open(NOON);
    world.pending().await;
    world.state.close().await;
    drop(world);
    let connection = Connection::open(place.file()).unwrap();
    let cost = || {
        let mut select = connection.prepare(runs::PENDING).unwrap();
        let ids = select.query_map([], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(ids.map(Result::unwrap).collect::<Vec<_>>(), [77]);
        select.get_status(StatementStatus::VmStep)
    };
    let alone = cost();
    connection
        .execute_batch(
            "INSERT INTO run (id, fab_id, fab_version, fab_hash, override_config, phase, details,
               pending_at, finished_at, first_context, context)
             WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             SELECT i, '', '', '', x'', 'finished:completed', '', 1.0, 2.0, x'', x'' FROM n",
        )
        .unwrap();
    assert_eq!(cost(), alone);
}
