//! Wake-ups between two SuperLinks over one database.

use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::monotonic;
use flwr_daemon::clock::SystemClock;
use flwr_daemon::objects::Memory;
use flwr_daemon::stop::Stopper;
use flwr_postgres::Server;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::timeout;

use super::server::{client, place, schema, url_of};
use super::*;
use crate::link::state::Shared as _;
use crate::link::wake::{Topic, Wake};
use crate::link::{Holds, Link, Parts};
use crate::store::postgres::connect::Connector;
use crate::store::postgres::wakes::{Ear, Wakes};
use crate::store::presence::Presence;

/// What a wake-up may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// One SuperLink, as far as wake-ups go.
struct Side {
    wakes: Wakes,
    hub: Arc<Wake>,
}

impl Side {
    async fn at(address: &PostgresUrl) -> Self {
        let connector = Connector::of(address).unwrap();
        let pool = connector.pool();
        let ear = Ear::open(connector).await.unwrap();
        let wakes = Wakes::start(ear, pool, Arc::<Presence>::default());
        let hub = Arc::new(Wake::default());
        wakes.wake_at(&hub);
        Self { wakes, hub }
    }
}

/// Two SuperLinks that have heard each other.
async fn pair(address: &PostgresUrl) -> (Side, Side) {
    let (here, there) = (Side::at(address).await, Side::at(address).await);
    until_heard(&here, &there, Topic::Log(RunId(0))).await;
    until_heard(&there, &here, Topic::Log(RunId(0))).await;
    (here, there)
}

/// Tells the topic again and again, until it is heard.
async fn until_heard(teller: &Side, hearer: &Side, topic: Topic) {
    let listener = hearer.hub.listen(topic);
    let deadline = monotonic::now() + PATIENCE;
    loop {
        let heard = listener.next();
        teller.wakes.tell(&[topic]);
        if timeout(Duration::from_millis(200), heard).await.is_ok() {
            return;
        }
        assert!(monotonic::now() < deadline, "never heard");
    }
}

#[tokio::test]
async fn what_one_superlink_changes_wakes_who_waits_at_another() {
    let address = place(Server::of_this_process()).await;
    let (here, there) = pair(&address).await;
    let reply = Topic::Reply(RunId(7), MessageId::of(b"a"));
    for (told, waited_for) in [
        (Topic::Node(NodeId(5)), Topic::Node(NodeId(5))),
        (Topic::Run(RunId(7)), Topic::Run(RunId(7))),
        (reply, Topic::Run(RunId(7))),
        (Topic::Log(RunId(7)), Topic::Log(RunId(7))),
        (Topic::Pending, Topic::Pending),
    ] {
        let listener = there.hub.listen(waited_for);
        let woken = listener.next();
        here.wakes.tell(&[told]);
        timeout(PATIENCE, woken).await.expect("woken");
    }
}

#[tokio::test]
async fn superlinks_of_other_schemas_hear_nothing() {
    let server = Server::of_this_process();
    let (first, second) = (place(server).await, place(server).await);
    let (here, there) = pair(&first).await;
    let (other, fourth) = pair(&second).await;
    let (hears, is_deaf) = (
        there.hub.listen(Topic::Pending),
        other.hub.listen(Topic::Pending),
    );
    let (heard, unheard) = (hears.next(), is_deaf.next());
    here.wakes.tell(&[Topic::Pending]);
    timeout(PATIENCE, heard).await.expect("woken");
    // What its own schema tells comes after what it would have heard.
    let marker = other.hub.listen(Topic::Log(RunId(1)));
    let marked = marker.next();
    fourth.wakes.tell(&[Topic::Log(RunId(1))]);
    timeout(PATIENCE, marked).await.expect("woken");
    assert!(timeout(Duration::ZERO, unheard).await.is_err());
}

#[tokio::test]
async fn more_nodes_than_a_notification_names_are_found_by_one_look() {
    let address = place(Server::of_this_process()).await;
    // A state makes the tables.
    let state = open(&address).await;
    let world = world(&state);
    world.running().await;
    let node = world.node(5, Timestamp::NEVER).await;
    world.send("model", node).await;
    state.close().await;
    let (here, there) = pair(&address).await;
    let (has_some, has_none) = (
        there.hub.listen(Topic::Node(node)),
        there.hub.listen(Topic::Node(NodeId(6))),
    );
    let (woken, asleep) = (has_some.next(), has_none.next());
    let nodes: Vec<_> = (1000..2000).map(|id| Topic::Node(NodeId(id))).collect();
    here.wakes.tell(&nodes);
    timeout(PATIENCE, woken).await.expect("woken");
    assert!(
        timeout(Duration::ZERO, asleep).await.is_err(),
        "a look a node"
    );
}

#[tokio::test]
async fn who_waits_looks_again_when_the_line_was_broken() {
    let server = Server::of_this_process();
    let schema = schema(server).await;
    let address = url_of(server.dir(), &schema);
    let (here, there) = pair(&address).await;
    let waits = there.hub.listen(Topic::Node(NodeId(5)));
    let woken = waits.next();
    // Of all sessions, those that listen in this schema.
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE query LIKE '%flwr_' || to_hex(hashtextextended($1, 0)) || '%'
                 AND pid <> pg_backend_pid()";
    let ender = client(server, &schema).await;
    let ended = ender
        .query(sql, &[&format!("flower-superlink {schema}")])
        .await;
    assert_eq!(ended.unwrap().len(), 4, "two connections each");
    timeout(PATIENCE, woken).await.expect("woken");
    until_heard(&here, &there, Topic::Pending).await;
    assert!(there.wakes.is_whole());
}

/// Processes of the server that are stopped, as in a machine that hangs.
struct Stopped(Vec<Pid>);

impl Stopped {
    fn stop(pids: Vec<Pid>) -> Self {
        for pid in &pids {
            kill_process(*pid, Signal::STOP).unwrap();
        }
        Self(pids)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

#[tokio::test]
async fn a_line_that_hears_nothing_is_replaced() {
    let server = Server::of_this_process();
    let schema = schema(server).await;
    let address = url_of(server.dir(), &schema);
    let there = Side::at(&address).await;
    let sql = "SELECT pid FROM pg_stat_activity
               WHERE query = 'LISTEN flwr_' || to_hex(hashtextextended($1, 0))";
    let looker = client(server, &schema).await;
    let found = looker
        .query(sql, &[&format!("flower-superlink {schema}")])
        .await;
    let pids = found.unwrap();
    let pids = pids.iter().map(|row| Pid::from_raw(row.get(0)).unwrap());
    let stopped = Stopped::stop(pids.collect());
    assert_eq!(stopped.0.len(), 1);
    let here = Side::at(&address).await;
    until_heard(&here, &there, Topic::Node(NodeId(5))).await;
    assert!(there.wakes.is_whole());
}

#[tokio::test]
async fn the_last_news_are_told_before_a_superlink_ends() {
    let address = place(Server::of_this_process()).await;
    let (here, there) = pair(&address).await;
    // No look wakes a node that has nothing.
    let waits = there.hub.listen(Topic::Node(NodeId(5)));
    let woken = waits.next();
    here.wakes.tell(&[Topic::Node(NodeId(5))]);
    here.wakes.close().await;
    drop(here);
    timeout(PATIENCE, woken).await.expect("woken");
}

/// A state with a node for which nothing is queued yet, and which knows that.
async fn with_an_idle_node(address: &PostgresUrl) -> (Arc<PostgresState>, World, NodeId) {
    let state = open(address).await;
    let world = world(&state);
    world.running().await;
    let node = world.node(5, Timestamp::NEVER).await;
    let sent = Sent::instruction("model", node);
    let parcels = vec![sent.parcel.clone()];
    state.insert_instructions(RUN, parcels).await.unwrap();
    assert_eq!(
        world.claim(node, NOON).await,
        None,
        "its objects are missing"
    );
    (state, world, node)
}

/// What another SuperLink does that stores the objects of the message.
async fn complete_elsewhere(schema: &str) {
    let other = client(Server::of_this_process(), schema).await;
    let sql = "UPDATE object SET available = true; DELETE FROM awaited;
               UPDATE instruction SET missing = 0, place = nextval('instruction_place')";
    other.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_poll_for_which_there_is_nothing_reads_nothing_until_a_wake_up_names_its_node() {
    let (address, schema) = super::place().await;
    let (_state, world, node) = with_an_idle_node(&address).await;
    complete_elsewhere(&schema).await;
    assert_eq!(world.claim(node, NOON).await, None, "somebody looked");
    let other = Side::at(&address).await;
    let deadline = monotonic::now() + PATIENCE;
    while world.claim(node, NOON).await.is_none() {
        assert!(monotonic::now() < deadline, "never heard");
        other.wakes.tell(&[Topic::Node(node)]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_look_makes_up_for_a_wake_up_that_was_lost() {
    let (address, schema) = super::place().await;
    let (state, world, node) = with_an_idle_node(&address).await;
    let hub = Arc::new(Wake::default());
    state.wake_at(&hub);
    let _other = Side::at(&address).await;
    let held = hub.listen(Topic::Node(node));
    let woken = held.next();
    complete_elsewhere(&schema).await;
    timeout(PATIENCE, woken).await.expect("nobody looked");
    assert!(world.claim(node, NOON).await.is_some());
}

#[tokio::test]
async fn a_link_tells_and_hears_what_changes() {
    let (address, _) = super::place().await;
    let state = open(&address).await;
    let link = Link::new(Parts {
        state,
        objects: Arc::new(Memory::new()),
        fabs: Arc::new(Memory::new()),
        clock: Arc::new(SystemClock),
        holds: Holds::default(),
        max_storage: None,
        stopper: Stopper::new(),
    });
    let other = Side::at(&address).await;
    let key = key();
    let node = link.register(&key).await.unwrap();
    // No look wakes a node that has nothing.
    let waits = other.hub.listen(Topic::Node(node));
    let deadline = monotonic::now() + PATIENCE;
    loop {
        let woken = waits.next();
        // A new session ends the calls of the earlier one.
        link.activate(&key, 30.0, None).await.unwrap();
        if timeout(Duration::from_millis(200), woken).await.is_ok() {
            break;
        }
        assert!(monotonic::now() < deadline, "never told");
    }
    let held = link.wake().listen(Topic::Node(node));
    let woken = held.next();
    // The link was heard, so that there is somebody to tell.
    other.wakes.tell(&[Topic::Node(node)]);
    timeout(PATIENCE, woken).await.expect("woken");
    link.close().await;
}
