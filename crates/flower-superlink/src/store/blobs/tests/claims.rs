//! Storage that is not the state's, and databases that are copies.

use tokio::task::spawn_blocking;

use super::bucket::bucket;
use super::*;
use crate::link::state::Upkeep as _;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::postgres::tests::server;
use crate::store::{Database, Opened, Places, Storage, StoreError};
use crate::store::{PostgresState, PostgresUrl};
use flwr_core::run::Phase;

async fn open(places: &Places) -> Result<Opened, StoreError> {
    let places = places.clone();
    spawn_blocking(move || places.open(NOON)).await.unwrap()
}

fn places(address: &PostgresUrl, storage: Storage) -> Places {
    Places {
        database: Database::Postgres(address.clone()),
        storage,
    }
}

/// Plays the start of a run, and ends the SuperLink.
async fn play(places: &Places) -> RunId {
    let opened = open(places).await.unwrap();
    let federation = Federation::with_bytes(opened.state, None, opened.objects, opened.fabs);
    let (run, node) = (federation.running().await, federation.node().await);
    federation
        .send(run, node, &"m".repeat(3 * INLINE_MAX))
        .await;
    federation.link.close().await;
    run
}

async fn new_address() -> PostgresUrl {
    server::place(flwr_postgres::Server::of_this_process()).await
}

#[tokio::test]
async fn storage_that_holds_nothing_of_the_state_is_refused_and_fails_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let at = flwr_bucket::Server::of_this_process().address();
    let ((right, _first), (wrong, _second)) = (
        bucket(at, flwr_bucket::SECRET),
        bucket(at, flwr_bucket::SECRET),
    );
    let folder = |name: &str| {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        Storage::Dir(dir)
    };
    for (right, wrong, flag) in [
        (
            Storage::Bucket(right),
            Storage::Bucket(wrong),
            "--storage: ",
        ),
        (folder("right"), folder("wrong"), "--storage-dir: "),
    ] {
        let address = new_address().await;
        let run = play(&places(&address, right.clone())).await;
        let wrong = places(&address, wrong);
        let refused = open(&wrong).await.unwrap_err().to_string();
        assert!(
            refused.starts_with(flag) && refused.contains("holds nothing of the state"),
            "{refused}"
        );
        let checked = spawn_blocking(move || wrong.check(true, NOON))
            .await
            .unwrap();
        let problems = checked.unwrap().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].text.starts_with(flag), "{problems:?}");
        let opened = open(&places(&address, right)).await.unwrap();
        assert_eq!(opened.missing, []);
        let status = opened.state.run(run).await.unwrap().unwrap().status;
        assert_eq!(status.phase, Phase::Running);
    }
}

#[tokio::test]
async fn a_copy_of_a_database_deletes_nothing_of_the_original() {
    let at = flwr_bucket::Server::of_this_process().address();
    let (bucket, _dir) = bucket(at, flwr_bucket::SECRET);
    let storage = Storage::Bucket(bucket);
    let original = places(&new_address().await, storage.clone());
    play(&original).await;
    let copied = new_address().await;
    PostgresState::open(&copied, NOON)
        .await
        .unwrap()
        .close()
        .await;
    let opened = open(&original).await.unwrap();
    let Database::Postgres(address) = &original.database else {
        unreachable!()
    };
    let id: String = {
        let client = server::client_at(address).await;
        client
            .query_one("SELECT id FROM state", &[])
            .await
            .unwrap()
            .get(0)
    };
    opened.state.close().await;
    let client = server::client_at(&copied).await;
    client
        .execute("UPDATE state SET id = $1", &[&id])
        .await
        .unwrap();
    let copy = places(&copied, storage);
    let refused = open(&copy).await.unwrap_err().to_string();
    let key = format!("o/owner/{id}");
    assert!(
        refused.contains("of another database") && refused.contains(&key),
        "{refused}"
    );
    let check = copy.clone();
    let checked = spawn_blocking(move || check.check(true, NOON))
        .await
        .unwrap();
    let problems = checked.unwrap().problems;
    assert!(
        problems[0].text.contains("of another database"),
        "{problems:?}"
    );
    // The original starts as before.
    open(&original).await.unwrap().state.close().await;
    // The way out that the error tells.
    let shelf = copy.shelf().unwrap();
    shelf.delete(vec![key]).await.into_result().unwrap();
    open(&copy).await.unwrap().state.close().await;
    open(&original).await.unwrap_err();
}
