//! A SuperLink that hears nothing of the others for a long time, while it reads and writes.

use flwr_core::id::NodeId;
use flwr_postgres::Server;

use super::proxy::Proxy;
use super::server::{client, schema, until, url_of};
use super::world;
use crate::link::state::{Nodes as _, Shared as _, Upkeep as _};
use crate::link::wake::Topic;
use crate::store::battery::world::{NOON, key};
use crate::store::postgres::{Company, PostgresState};

#[tokio::test]
async fn a_superlink_that_stays_deaf_goes_on_looking() {
    let server = Server::of_this_process();
    let schema = schema(server).await;
    let proxy = Proxy::start(server.dir());
    let (near, far) = (url_of(server.dir(), &schema), url_of(proxy.dir(), &schema));
    let deaf = PostgresState::open_in(&far, Company::Named("a"), NOON).await;
    let other = PostgresState::open_in(&near, Company::Named("b"), NOON).await;
    let (deaf, other) = (deaf.unwrap(), std::sync::Arc::new(other.unwrap()));
    other.tell_others(&[Topic::Pending]);
    until("the other is heard", async || deaf.hears_others()).await;
    // Its line ends, and it gets no other.
    proxy.deafen();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE query = 'LISTEN flwr_' || to_hex(hashtextextended($1, 0))";
    let ender = client(server, &schema).await;
    let ended = ender
        .query(sql, &[&format!("flower-superlink {schema}")])
        .await;
    assert_eq!(ended.unwrap().len(), 2);
    until("the line is broken", async || !deaf.wakes.is_whole()).await;
    deaf.wakes.forget_neighbours();
    let key = key();
    world(&other).comes(&key, NodeId(5), NOON + 60.0).await;
    deaf.expire(NOON + 10.0).await.unwrap();
    assert!(deaf.is_key_of(&key, NodeId(5)), "it has looked");
    other.dismiss_node(NodeId(5), NOON + 11.0).await.unwrap();
    deaf.expire(NOON + 20.0).await.unwrap();
    assert!(deaf.is_dismissed(&key));
    // Until the others give a sign of life, they are taken to be there.
    proxy.open();
    until("the line is whole", async || deaf.wakes.is_whole()).await;
    assert!(deaf.wakes.has_neighbours());
}

#[tokio::test]
async fn whoever_works_alone_looks_for_nobody() {
    let address = super::server::place(Server::of_this_process()).await;
    let state = super::open(&address).await;
    assert!(!state.wakes.has_neighbours());
    state.close().await;
    let named = PostgresState::open_in(&address, Company::Named("a"), NOON).await;
    assert!(named.unwrap().wakes.has_neighbours(), "somebody may come");
}
