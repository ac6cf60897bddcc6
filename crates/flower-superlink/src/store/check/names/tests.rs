//! A database and a directory that do not agree.

use std::fs;
use std::path::{Path, PathBuf};

use flwr_core::run::Phase;
use flwr_postgres::Server;
use tokio::task::spawn_blocking;

use super::*;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::place::Database;
use crate::store::postgres::tests::server;

async fn check(places: &Places, repair: bool) -> Result<Report, StoreError> {
    let places = places.clone();
    spawn_blocking(move || places.check(repair, NOON))
        .await
        .unwrap()
}

fn texts(report: &Report) -> Vec<&str> {
    let problems = report.problems.iter();
    problems.map(|problem| problem.text.as_str()).collect()
}

/// The files below a directory, the largest last.
fn files(dir: &Path) -> Vec<(u64, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        match metadata.is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push((metadata.len(), entry.path())),
        }
    }
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_database_and_its_names_are_compared_and_brought_into_line() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let address = server::place(Server::of_this_process()).await;
    let places = Places {
        database: Database::Postgres(address.clone()),
        storage: Storage::Dir(storage.clone()),
    };
    let empty = check(&places, false).await.unwrap();
    assert_eq!(empty.facts, ["the database holds no state"]);

    let opening = places.clone();
    let opened = spawn_blocking(move || opening.open(NOON))
        .await
        .unwrap()
        .unwrap();
    let federation = Federation::with_bytes(opened.state, None, opened.objects, opened.fabs);
    let (run, other) = (federation.running().await, federation.running().await);
    let node = federation.node().await;
    federation.send(run, node, &"m".repeat(100_000)).await;
    let small = federation.send(other, node, &"n".repeat(90_000)).await;
    let held = check(&places, false).await.unwrap_err();
    assert!(matches!(held, StoreError::Postgres(_)), "{held}");
    federation.link.close().await;
    drop(federation);
    let whole = check(&places, false).await.unwrap();
    assert!(whole.is_clean(), "{whole:?}");
    assert!(
        whole
            .facts
            .iter()
            .any(|fact| fact.starts_with("4 blobs of ")),
        "{whole:?}"
    );

    // The model of one run is damaged, and something belongs to nothing.
    let names = storage.join("o");
    let (_, model) = files(&names).pop().unwrap();
    fs::write(&model, "other bytes").unwrap();
    let stray = model.with_file_name("stray");
    fs::write(&stray, "stray").unwrap();
    // And a small object of the other is damaged in the database.
    let client = server::client_at(&address).await;
    let damaged = "UPDATE inline SET bytes = 'x' WHERE run = $1";
    assert_eq!(
        client
            .execute(damaged, &[&other.0.cast_signed()])
            .await
            .unwrap(),
        1
    );
    let _ = small;
    for _ in 0..2 {
        let report = check(&places, false).await.unwrap();
        let texts = texts(&report);
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(
            texts[0].contains("in the database is damaged")
                && texts[0].contains(&other.to_string())
        );
        assert!(
            texts[1].contains(&format!("is damaged: it is needed by run {run}")),
            "{texts:?}"
        );
        assert!(texts[2].ends_with("/stray belongs to nothing"), "{texts:?}");
        assert!(!report.is_clean());
    }

    let report = check(&places, true).await.unwrap();
    assert!(
        report.is_clean() && report.problems.len() == 3,
        "{report:?}"
    );
    assert!(!stray.exists());
    let after = check(&places, false).await.unwrap();
    assert!(after.is_clean() && after.problems.is_empty(), "{after:?}");
    let state = PostgresState::open(&address, NOON).await.unwrap();
    for run in [run, other] {
        let status = state.run(run).await.unwrap().unwrap().status;
        assert!(matches!(status.phase, Phase::Finished(_)), "{status:?}");
        assert_eq!(status.details, LOST_OBJECTS);
    }
}

#[tokio::test]
async fn a_start_tells_which_files_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let places = Places {
        database: Database::Postgres(server::place(Server::of_this_process()).await),
        storage: Storage::Dir(storage.clone()),
    };
    let open = || {
        let places = places.clone();
        async { spawn_blocking(move || places.open(NOON)).await.unwrap() }
    };
    let opened = open().await.unwrap();
    let federation = Federation::with_bytes(opened.state, None, opened.objects, opened.fabs);
    let run = federation.running().await;
    let node = federation.node().await;
    let sent = federation.send(run, node, &"m".repeat(100_000)).await;
    federation.link.close().await;
    drop(federation);
    let whole = open().await.unwrap();
    assert_eq!(whole.missing, []);
    whole.state.close().await;

    let (_, model) = files(&storage.join("o")).pop().unwrap();
    fs::remove_file(model).unwrap();
    let missing = open().await.unwrap().missing;
    let objects = sent.parcel.tree.post_order().into_iter();
    let objects: Vec<_> = objects.map(|object| object.id).collect();
    assert_eq!(missing.len(), 1);
    assert!(objects.contains(&missing[0]), "{missing:?}");
}
