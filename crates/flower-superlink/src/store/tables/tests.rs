use std::collections::BTreeSet;

use flwr_postgres::Server;
use rusqlite::Connection;

use super::*;
use crate::store::battery::world::NOON;
use crate::store::postgres::tests::server;
use crate::store::{PostgresState, SqliteState};

/// A column of a table.
type Place = (String, String);

/// Columns of SQLite that stay behind.
const LEFT: [(&str, &str); 1] = [("link", "oldest")];
/// Columns of PostgreSQL that begin with their defaults.
const DEFAULTS: [(&str, &str); 3] = [
    ("node", "edition"),
    ("run", "number"),
    ("task", "alive_until"),
];
/// Tables of PostgreSQL that begin empty, or as the schema makes them.
const OWN: [&str; 6] = [
    "garbage",
    "link",
    "login",
    "refresh",
    "schema_version",
    "writer",
];

fn set(places: &[(&str, &str)]) -> BTreeSet<Place> {
    let places = places.iter();
    places
        .map(|(table, column)| ((*table).to_owned(), (*column).to_owned()))
        .collect()
}

#[test]
fn every_column_of_a_file_is_brought_somewhere() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("state.db");
    drop(SqliteState::open(&file, NOON).unwrap());
    let connection = Connection::open(&file).unwrap();
    let sql = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c
               WHERE m.type = 'table'";
    let mut select = connection.prepare(sql).unwrap();
    let there = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let there: BTreeSet<Place> = there.unwrap().map(Result::unwrap).collect();
    let tables = TABLES.iter().filter(|table| table.from != NAMED);
    let brought = tables.flat_map(|table| {
        let columns = table.columns.iter();
        columns.map(|column| (table.from.to_owned(), column.from.to_owned()))
    });
    let brought: BTreeSet<Place> = brought.chain(set(&LEFT)).collect();
    let forgotten: Vec<_> = there.difference(&brought).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[tokio::test]
async fn every_column_of_a_database_is_filled_or_has_a_default() {
    let address = server::place(Server::of_this_process()).await;
    drop(PostgresState::open(&address, NOON).await.unwrap());
    let client = server::client_at(&address).await;
    let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
               WHERE table_schema = current_schema()";
    let there = client.query(sql, &[]).await.unwrap();
    let there = there.iter().map(|row| (row.get(0), row.get(1)));
    let there: BTreeSet<Place> = there
        .filter(|(table, _): &Place| !OWN.contains(&table.as_str()))
        .collect();
    let filled = TABLES.iter().chain([&INLINE]).flat_map(|table| {
        let columns = table.columns.iter();
        columns.map(|column| (table.name.to_owned(), column.name.to_owned()))
    });
    let filled: BTreeSet<Place> = filled.chain(set(&DEFAULTS)).collect();
    assert_eq!(filled, there);
}
