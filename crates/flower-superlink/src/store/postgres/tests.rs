//! What only a state in a database does: who may work with it, and what becomes of its connections.

pub(in crate::store) mod audit;
mod bounds;
mod burials;
mod deaf;
mod links;
mod login;
mod pooler;
pub(in crate::store) mod proxy;
pub(in crate::store) mod server;
mod stale;
pub(in crate::store) mod turns;
mod wakes;

use std::sync::Arc;
use std::time::Duration;

use flwr_core::time::Timestamp;

use super::{PostgresError, PostgresState, PostgresUrl};
use crate::in_time::in_time;
use crate::link::state::{
    LinkState, Logs as _, Messages as _, Nodes as _, StateError, Upkeep as _,
};
use crate::store::battery::world::{NOON, RUN, Sent, TTL, World, blob, key};
use flwr_postgres::Server;
use proxy::{Moment, Proxy};
use server::{client, schema, url_of};

/// An address of a schema of its own.
async fn place() -> (PostgresUrl, String) {
    let server = Server::of_this_process();
    let schema = schema(server).await;
    (url_of(server.dir(), &schema), schema)
}

async fn open(address: &PostgresUrl) -> Arc<PostgresState> {
    Arc::new(PostgresState::open(address, NOON).await.unwrap())
}

fn world(state: &Arc<PostgresState>) -> World {
    World::new(Arc::clone(state) as Arc<dyn LinkState>)
}

async fn log(state: &PostgresState) -> Vec<String> {
    let entries = state.log_after(RUN, Timestamp::ZERO, usize::MAX).await;
    entries
        .unwrap()
        .into_iter()
        .map(|entry| entry.text)
        .collect()
}

#[tokio::test]
async fn a_second_superlink_is_refused_until_the_first_has_closed() {
    let (address, _) = place().await;
    let first = open(&address).await;
    let refused = PostgresState::open(&address, NOON).await.unwrap_err();
    let text = refused.to_string();
    let own = format!("(pid {} on ", std::process::id());
    assert!(
        text.contains("in use by another") && text.contains(&own),
        "{text}"
    );
    world(&first).running().await;
    first.close().await;
    let late = first.try_to_write().await;
    assert!(matches!(late, Err(StateError::Broken(_))), "{late:?}");
    let second = open(&address).await;
    assert_eq!(second.id(), first.id());
    second
        .append_log(RUN, "here".to_owned(), NOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_superlink_of_an_earlier_epoch_writes_nothing() {
    let (address, schema) = place().await;
    let first = open(&address).await;
    world(&first).running().await;
    // As if the first was cut off, declared dead, and another had begun.
    let other = client(Server::of_this_process(), &schema).await;
    other
        .batch_execute("UPDATE link SET epoch = epoch + 1")
        .await
        .unwrap();
    let refused = first.append_log(RUN, "late".to_owned(), NOON).await;
    let StateError::Broken(cause) = refused.unwrap_err() else {
        panic!("a refusal of the protocol");
    };
    assert!(
        cause.to_string().contains("has taken the database"),
        "{cause}"
    );
    let lines = other.query("SELECT text FROM log", &[]).await.unwrap();
    assert!(lines.is_empty());
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_untouched() {
    let (address, schema) = place().await;
    open(&address).await.close().await;
    let client = client(Server::of_this_process(), &schema).await;
    let add = |version: i32, oldest: i32| {
        format!("INSERT INTO schema_version (version, oldest) VALUES ({version}, {oldest})")
    };
    // A step that only adds lets this program in.
    client.batch_execute(&add(900, 1)).await.unwrap();
    open(&address).await.close().await;
    client.batch_execute(&add(901, 901)).await.unwrap();
    let refused = PostgresState::open(&address, NOON).await.unwrap_err();
    assert!(
        matches!(refused, PostgresError::Newer { found: 901, .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn whatever_a_peer_sends_is_kept() {
    let (address, _) = place().await;
    let state = open(&address).await;
    let world = world(&state);
    world.running().await;
    let text = "a\0b\\0c\\\\ \u{1f33c}\n";
    state.append_log(RUN, text.to_owned(), NOON).await.unwrap();
    assert_eq!(log(&state).await, [text]);
    let node = world.node(5, Timestamp::NEVER).await;
    let sent = Sent::new("model", |metadata| flwr_core::message::Metadata {
        dst: node,
        group: text.to_owned(),
        message_type: text.to_owned(),
        ..metadata
    });
    let (inserted, _) = state
        .insert_instructions(RUN, vec![sent.parcel.clone()])
        .await
        .unwrap();
    for object in inserted.missing {
        crate::link::state::Objects::object_arrived(&*state, RUN, object, blob(object))
            .await
            .unwrap();
    }
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()));
    let session = crate::link::state::Nodes::session(&*state, node).await;
    let again = state.claim_message(node, session.unwrap().unwrap(), NOON);
    assert_eq!(again.await.unwrap(), Some(sent.parcel));
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let (address, _) = place().await;
    let state = open(&address).await;
    let before = world(&state);
    before.running().await;
    let key = key();
    let (registration, _) = before.comes(&key, 5_u64.into(), NOON + 60.0).await;
    let sent = before.send("model", registration.node).await;
    // Not closed: as after `kill -9`.
    drop((before, state));
    let state = open(&address).await;
    let after = world(&state);
    for object in &sent.objects {
        assert!(after.knows(*object).await, "object {object}");
    }
    assert_eq!(after.claim(registration.node, NOON).await, Some(sent.id()));
    let (lost, _) = state.expire(NOON + TTL + 100.0).await.unwrap();
    assert_eq!(lost, [RUN], "its ServerApp gave no sign of life");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_done_again() {
    for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
        let (_, schema) = place().await;
        let proxy = Proxy::start(Server::of_this_process().dir());
        let address = url_of(proxy.dir(), &schema);
        let state = open(&address).await;
        world(&state).running().await;
        for number in 0..3 {
            proxy.cut_once(moment);
            let line = format!("line {number}\n");
            state.append_log(RUN, line, NOON).await.unwrap();
        }
        assert_eq!(proxy.cuts(), 3);
        assert_eq!(log(&state).await, ["line 0\n", "line 1\n", "line 2\n"]);
    }
}

#[tokio::test]
async fn memory_follows_a_commit_that_is_known_later_than_its_caller_waits() {
    // Both at once: each waits as long as a caller does.
    let play = async |moment, is_there: bool| {
        let (_, schema) = place().await;
        let proxy = Proxy::start(Server::of_this_process().dir());
        let state = open(&url_of(proxy.dir(), &schema)).await;
        world(&state).running().await;
        let (key, node) = (key(), 5_u64.into());
        proxy.cut_and_close(moment);
        let unknown = state.register_node(&key, node, NOON).await;
        assert!(matches!(unknown, Err(StateError::Broken(_))), "{unknown:?}");
        proxy.open();
        state.append_log(RUN, "on".to_owned(), NOON).await.unwrap();
        let found = state.node_of_key(&key).await.unwrap();
        assert_eq!(found, is_there.then_some(node), "{moment:?}");
        let again = state.register_node(&key, 6_u64.into(), NOON).await;
        assert_eq!(again.unwrap().0.resumed, is_there);
    };
    tokio::join!(
        play(Moment::AfterCommit, true),
        play(Moment::BeforeCommit, false)
    );
}

#[tokio::test]
async fn a_server_that_stays_away_is_an_error_and_no_panic() {
    let server = Server::start();
    let address = server::place(&server).await;
    let state = open(&address).await;
    world(&state).running().await;
    let dir = server.dir().to_owned();
    drop(server);
    let ends = async {
        while dir.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("the server ends", ends).await;
    let health = tokio::time::timeout(Duration::from_secs(5), state.try_to_write());
    let health = health.await.expect("health checks wait for an answer");
    assert!(matches!(health, Err(StateError::Broken(_))), "{health:?}");
    let refused = state.append_log(RUN, "lost".to_owned(), NOON).await;
    assert!(matches!(refused, Err(StateError::Broken(_))), "{refused:?}");
    let nowhere = PostgresState::open(&address, NOON).await.unwrap_err();
    assert!(matches!(nowhere, PostgresError::Unreachable { .. }));
}
