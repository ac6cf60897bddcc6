//! Several SuperLinks with one database: who may work, and what one knows of what another has changed.

use flwr_core::cause::chain;
use flwr_core::id::{NodeId, TaskId};
use flwr_core::object::ObjectId;
use flwr_core::refusal::Refusal;
use flwr_core::run::Phase;
use flwr_core::task::TaskKind;
use flwr_daemon::apps::Identity;
use flwr_daemon::clock::{Asked, Clock as _, FollowingClock};
use flwr_postgres::Server;

use super::server::{self, links, two, until};
use super::{open, world};
use crate::accounts::Accounts;
use crate::accounts::fake::Person;
use crate::accounts::tests::Office;
use crate::link::state::{
    APP_FIRST_HEARTBEAT, Joining as _, Neighbours as _, Nodes as _, Process, RETURN, Runs as _,
    Tasks as _, Upkeep as _,
};
use crate::store::battery::world::{NOON, RUN, TASK, key};
use crate::store::postgres::{Company, PostgresError, PostgresState};

#[tokio::test]
async fn each_superlink_needs_a_name_of_its_own() {
    let address = server::place(Server::of_this_process()).await;
    let named = |name| PostgresState::open_in(&address, Company::Named(name), NOON);
    let a = named("a").await.unwrap();
    let b = named("b").await.unwrap();
    assert_eq!(a.id(), b.id());
    let refused = named("a").await.unwrap_err();
    assert!(
        matches!(refused, PostgresError::NameTaken { .. }),
        "{refused}"
    );
    let text = refused.to_string();
    let own = format!("(pid {} on ", std::process::id());
    assert!(text.contains("as `a`") && text.contains(&own), "{text}");
    let refused = PostgresState::open(&address, NOON).await.unwrap_err();
    assert!(matches!(refused, PostgresError::Held { .. }), "{refused}");
    a.close().await;
    let again = named("a").await.unwrap();
    assert_eq!(again.start().beside.alive(), [b.start().epoch]);
    again.close().await;
    b.close().await;
    // Whoever works alone keeps all others out.
    let alone = open(&address).await;
    let refused = named("c").await.unwrap_err();
    assert!(matches!(refused, PostgresError::Held { .. }), "{refused}");
    assert_eq!(alone.start().beside.alive(), [0_i64; 0]);
}

#[tokio::test]
async fn who_was_followed_by_another_of_the_name_writes_nothing() {
    let [a, b] = two().await;
    world(&a).running().await;
    // As if the server had ended its session, and another had taken the name.
    let sql = "UPDATE link SET epoch = nextval('link_epoch') WHERE name = 'link-0'";
    let connection = b.pool.get().await.unwrap();
    connection.batch_execute(sql).await.unwrap();
    let refused = chain(&a.try_to_write().await.unwrap_err());
    assert!(
        refused.contains("has taken the database or the runs"),
        "{refused}"
    );
    b.try_to_write().await.unwrap();
}

#[tokio::test]
async fn a_node_is_known_at_once_where_it_did_not_register() {
    let [a, b] = two().await;
    let key = key();
    let (registration, _) = world(&a).comes(&key, NodeId(5), NOON + 60.0).await;
    let node = registration.node;
    assert_eq!(b.node_of_key(&key).await.unwrap(), Some(node));
    // The word of the registration may come before that of the session.
    until("the session is known", async || {
        b.session(node).await.unwrap() == Some(1)
    })
    .await;
    assert!(b.is_key_of(&key, node));
    assert_eq!(b.online_nodes(NOON).await.unwrap(), [node]);
    // A session that begins elsewhere ends the one that is known here.
    world(&b).comes(&key, NodeId(6), NOON + 60.0).await;
    until("the session of the other is known", async || {
        a.session(node).await.unwrap() == Some(2)
    })
    .await;
    a.deactivate_node(node, NOON + 1.0)
        .await
        .unwrap()
        .1
        .wake
        .clear();
    until("the node has left", async || {
        b.online_nodes(NOON + 2.0).await.unwrap().is_empty()
    })
    .await;
    b.unregister_node(node, NOON + 3.0)
        .await
        .unwrap()
        .1
        .wake
        .clear();
    until("the node is unregistered", async || {
        a.node_of_key(&key).await.unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_renewed_at_one_is_the_nodes_at_all() {
    let [a, b] = two().await;
    let (old, new) = (key(), key());
    let (registration, _) = world(&a).comes(&old, NodeId(5), NOON + 60.0).await;
    let node = registration.node;
    a.note_next_key(node, &new).await.unwrap();
    assert_eq!(b.node_of_next_key(&new).await.unwrap(), Some(node));
    let (used, mut changed) = b.use_next_key(&new).await.unwrap();
    assert_eq!(used, Some(node));
    changed.wake.clear();
    until("the old key is no longer the node's", async || {
        a.node_of_key(&new).await.unwrap() == Some(node) && !a.is_key_of(&old, node)
    })
    .await;
}

#[tokio::test]
async fn all_go_by_the_clock_of_the_server() {
    let address = server::place(Server::of_this_process()).await;
    let clock = FollowingClock::default();
    clock.follow(Asked::now(), NOON);
    // The server is on this machine.
    let is_right = || clock.machine_is_ahead().abs() < 60.0;
    assert!(!is_right());
    PostgresState::ask_time(&address, &clock).await.unwrap();
    assert!(is_right() && !clock.is_of_machine());
    let state = PostgresState::open_in(&address, Company::Named("a"), clock.now());
    let state = state.await.unwrap();
    clock.follow(Asked::now(), NOON);
    state.tell_time(&clock).await.unwrap();
    assert!(is_right());
}

#[tokio::test]
async fn signs_of_life_at_one_count_at_all() {
    let [a, b] = two().await;
    let node = world(&a).node(5, NOON + 30.0).await;
    assert!(b.session(node).await.unwrap().is_some());
    assert!(a.keep_node(node, NOON + 300.0, NOON + 20.0).await.unwrap());
    a.expire(NOON + 21.0).await.unwrap().1.wake.clear();
    b.expire(NOON + 22.0).await.unwrap().1.wake.clear();
    assert_eq!(b.online_nodes(NOON + 290.0).await.unwrap(), [node]);
    // What it heard of others is not its own to write.
    b.expire(NOON + 60.0).await.unwrap().1.wake.clear();
    let row = b.pool.get().await.unwrap();
    let row = row
        .query_one("SELECT online_until FROM node", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, f64>(0), (NOON + 300.0).as_secs());
}

/// The signs of life that it heard last went with it.
#[tokio::test]
async fn a_node_has_time_to_return_when_one_of_two_superlinks_was_killed() {
    let address = server::place(Server::of_this_process()).await;
    let [a, b]: [_; 2] = links(&address, 2).await.try_into().unwrap();
    let node = world(&b).node(5, NOON + 30.0).await;
    assert!(a.session(node).await.unwrap().is_some());
    let name = b.name.clone();
    drop(b);
    // The tests have a time of their own.
    let sql = format!(
        "UPDATE link SET seen_at = to_timestamp({}) WHERE name = '{name}'",
        NOON.as_secs()
    );
    let connection = a.pool.get().await.unwrap();
    connection.batch_execute(&sql).await.unwrap();
    let again = PostgresState::open_in(&address, Company::Named(&name), NOON + 20.0).await;
    let again = again.unwrap();
    let before_end = NOON + (19.0 + RETURN);
    assert_eq!(again.online_nodes(before_end).await.unwrap(), [node]);
    assert_eq!(again.online_nodes(before_end + 2.0).await.unwrap(), []);
    // The other SuperLink gives the node the same time.
    again.expire(NOON + 21.0).await.unwrap().1.wake.clear();
    a.expire(NOON + 22.0).await.unwrap().1.wake.clear();
    assert_eq!(a.online_nodes(before_end).await.unwrap(), [node]);
}

#[tokio::test]
async fn a_run_whose_serverapp_is_heard_elsewhere_is_not_lost() {
    let [a, b] = two().await;
    let here = world(&a);
    here.pending().await;
    here.change(Phase::Starting).await;
    here.change(Phase::Running).await;
    // The other learns of the run by a look, or by a sign of life.
    assert!(b.keep_task(TASK, NOON + 30.0).await.unwrap());
    assert!(a.keep_task(TASK, NOON + 1000.0).await.unwrap());
    a.expire(NOON + 1.0).await.unwrap().1.wake.clear();
    let (lost, _) = b.expire(NOON + APP_FIRST_HEARTBEAT + 60.0).await.unwrap();
    assert_eq!(lost, []);
    let (lost, mut changed) = b.expire(NOON + 2000.0).await.unwrap();
    assert_eq!(lost, [RUN]);
    changed.wake.clear();
    // Elsewhere it is over, and not lost another time.
    let (lost, _) = a.expire(NOON + 2001.0).await.unwrap();
    assert_eq!(lost, []);
    assert!(a.presence.lost_runs(NOON + 9000.0).is_empty());
}

#[tokio::test]
async fn each_superlink_tends_its_own_serverapps() {
    let [a, b] = two().await;
    world(&a).pending().await;
    let token = ObjectId::of(b"token");
    assert!(a.claim_task(TASK, token, NOON).await.unwrap());
    assert!(
        !b.claim_task(TASK, ObjectId::of(b"other"), NOON)
            .await
            .unwrap()
    );
    let left = async |state: &PostgresState| {
        let left = state.left_tasks(TaskKind::ServerApp).await.unwrap();
        left.into_iter()
            .map(|task| task.id)
            .collect::<Vec<TaskId>>()
    };
    assert_eq!(left(&a).await, [TASK]);
    assert_eq!(left(&b).await, []);
    let process = Process {
        host: "here".to_owned(),
        identity: Identity {
            pid: 7,
            started: "then".to_owned(),
        },
    };
    a.set_process(TASK, Some(process))
        .await
        .unwrap()
        .1
        .wake
        .clear();
    assert_eq!(a.processes().await.unwrap().len(), 1);
    assert_eq!(b.processes().await.unwrap().len(), 0);
    b.set_process(TASK, None).await.unwrap().1.wake.clear();
    assert_eq!(a.processes().await.unwrap().len(), 1);
    assert!(b.run(RUN).await.unwrap().is_some());
}

#[tokio::test]
async fn what_others_do_while_nothing_is_heard_is_found_by_a_look() {
    let [a, b] = two().await;
    let known = world(&a).node(5, NOON + 60.0).await;
    assert!(b.session(known).await.unwrap().is_some());
    // Written as by a SuperLink whose word is lost.
    let connection = a.pool.get().await.unwrap();
    let sql = "UPDATE node SET name = 'ward 7', edition = nextval('node_edition')";
    connection.batch_execute(sql).await.unwrap();
    let name = async || b.node(known).await.unwrap().unwrap().name;
    assert_eq!(name().await, None);
    b.expire(NOON + 10.0).await.unwrap().1.wake.clear();
    assert_eq!(name().await.as_deref(), Some("ward 7"));
    connection.batch_execute("DELETE FROM node").await.unwrap();
    b.expire(NOON + 20.0).await.unwrap().1.wake.clear();
    assert_eq!(b.session(known).await.unwrap(), None);
    assert!(b.online_nodes(NOON + 21.0).await.unwrap().is_empty());
    assert_eq!(b.nodes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_refresh_token_that_is_shown_at_two_is_used_once() {
    let [a, b] = two().await;
    let office = Office::new();
    let other = office.beside();
    office.accounts.share(a);
    other.share(b);
    let stale = office.stale(&Person::named("alice"));
    let at = async |accounts: &Accounts| {
        let admitted = accounts.admit(Some(&stale.access), Some(&stale.refresh));
        admitted.await.unwrap().fresh.unwrap()
    };
    let (first, second) = tokio::join!(at(&office.accounts), at(&other));
    assert_eq!(first, second);
    assert_eq!(office.fake.state().refreshes, 1);
    let third = office.beside();
    third.share(two().await[0].clone());
    let spent = third.admit(Some(&stale.access), Some(&stale.refresh)).await;
    assert!(spent.is_err(), "the provider has made the token void");
}

#[tokio::test]
async fn a_login_that_began_at_one_is_completed_at_the_other() {
    let [a, b] = two().await;
    let office = Office::new();
    let other = office.beside();
    let alice = Person::named("alice");
    office.accounts.share(a);
    let login = office.accounts.begin_login(None).await.unwrap();
    office.fake.approve(&alice);
    let unknown = Err(Refusal::UnknownLogin.into());
    assert_eq!(other.poll_login(&login.device_code).await, unknown);
    other.share(b);
    let tokens = other.poll_login(&login.device_code).await.unwrap();
    assert!(tokens.is_some());
    let third = office.beside();
    third.share(two().await[0].clone());
    assert_eq!(third.poll_login(&login.device_code).await, unknown);
}
