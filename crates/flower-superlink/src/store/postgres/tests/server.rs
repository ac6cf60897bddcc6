//! States on the PostgreSQL server of this process, each in a schema of its own.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flwr_postgres::{Server, url_at};
use tokio_postgres::{Client, NoTls};

use crate::in_time::in_time;
use crate::link::state::{LinkState, Shared as _};
use crate::link::wake::Topic;
use crate::store::battery::world::NOON;
use crate::store::postgres::Company;
use crate::store::{PostgresState, PostgresUrl};

/// The number of the next schema.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The address of a schema, by the socket in this folder.
pub(in crate::store) fn url_of(dir: &Path, schema: &str) -> PostgresUrl {
    let url = url_at(dir);
    PostgresUrl::parse(&format!("{url}?options=-c%20search_path%3D{schema}")).unwrap()
}

/// A connection beside that of a state.
pub(in crate::store) async fn client(server: &Server, schema: &str) -> Client {
    client_at(&url_of(server.dir(), schema)).await
}

/// A connection beside that of the state at this address.
pub(in crate::store) async fn client_at(address: &PostgresUrl) -> Client {
    let (client, connection) = address.config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A schema of its own, which is empty.
pub(in crate::store) async fn schema(server: &Server) -> String {
    let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let client = client(server, "public").await;
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}"))
        .await
        .unwrap();
    schema
}

/// The address of a schema of its own.
pub(in crate::store) async fn place(server: &Server) -> PostgresUrl {
    url_of(server.dir(), &schema(server).await)
}

/// A state in a schema of its own.
pub(in crate::store) async fn fresh() -> Arc<dyn LinkState> {
    let url = place(Server::of_this_process()).await;
    Arc::new(PostgresState::open(&url, NOON).await.unwrap())
}

/// The states of SuperLinks that work with this database, once they have heard each other.
pub(in crate::store) async fn beside_each_other(
    address: &PostgresUrl,
    number: usize,
) -> Vec<Arc<dyn LinkState>> {
    let states = links(address, number).await;
    let states = states.into_iter().map(|state| state as Arc<dyn LinkState>);
    states.collect()
}

/// The same, as what they are.
pub(in crate::store) async fn links(
    address: &PostgresUrl,
    number: usize,
) -> Vec<Arc<PostgresState>> {
    let mut states = Vec::new();
    for number in 0..number {
        let name = format!("link-{number}");
        let state = PostgresState::open_in(address, Company::Named(&name), NOON).await;
        states.push(Arc::new(state.unwrap()));
    }
    // A word of each, so that nobody waits for the next sign of life.
    for state in &states {
        state.tell_others(&[Topic::Pending]);
    }
    for state in &states {
        let heard = async {
            while number > 1 && !state.hears_others() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        in_time("another SuperLink is heard", heard).await;
    }
    states
}

/// The states of two SuperLinks that work with one database.
pub(super) async fn two() -> [Arc<PostgresState>; 2] {
    let address = place(Server::of_this_process()).await;
    links(&address, 2).await.try_into().unwrap()
}

/// Waits until something holds that another SuperLink tells.
pub(super) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waits = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    in_time(what, waits).await;
}

/// Does something whenever the state at this address has committed so many transactions more. Never
/// ends.
pub(in crate::store) async fn each_time_it_has_committed(
    every: i64,
    address: &PostgresUrl,
    acts: &Cell<usize>,
    act: impl AsyncFn(),
) {
    let mut next = every;
    loop {
        // The server may be away.
        if let Ok((client, connection)) = address.config().connect(NoTls).await {
            let _connection = flwr_daemon::task::start(connection);
            while let Ok(found) = client
                .query_one("SELECT sum(batch)::int8 FROM link", &[])
                .await
            {
                let batch: i64 = found.get(0);
                if batch >= next {
                    next = batch + every;
                    act().await;
                    acts.set(acts.get() + 1);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends the session that writes.
pub(in crate::store) async fn cut(server: &Server, of: &PostgresUrl) {
    let config = of.config();
    let schema = config
        .get_options()
        .unwrap()
        .split('=')
        .next_back()
        .unwrap();
    let sql = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks
         WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
           AND (classid::int8 << 32 | objid::int8)
             = hashtextextended('flower-superlink {schema}', 0)"
    );
    let client = client(server, "public").await;
    client.batch_execute(&sql).await.unwrap();
}
