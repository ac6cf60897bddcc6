//! What a SuperLink of schema version 1 has left: bytes under the ids of objects and FABs.

use std::fs;
use std::path::{Path as FilePath, PathBuf};

use flwr_core::run::Phase;
use flwr_daemon::objects::{Files, path_in};
use tokio::task::spawn_blocking;

use super::*;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::open::{Database, Places, Storage};
use crate::store::postgres::tests::server;
use crate::store::{FABS, OBJECTS, PostgresState, owner};

/// A run that goes on, of a SuperLink that stored bytes by their ids. Gives the run with its objects.
async fn left(places: &Places, dir: &FilePath) -> (RunId, Vec<ObjectId>) {
    let Database::Postgres(address) = &places.database else {
        unreachable!()
    };
    let state = PostgresState::open(address, NOON).await.unwrap();
    owner::claim(dir, state.id()).unwrap();
    let files = |name| {
        let (files, _) = Files::open(&dir.join(name), []).unwrap();
        Arc::new(files)
    };
    let federation = Federation::with_bytes(Arc::new(state), None, files(OBJECTS), files(FABS));
    let (run, node) = (federation.running().await, federation.node().await);
    let sent = federation
        .send(run, node, &"m".repeat(3 * INLINE_MAX))
        .await;
    federation.link.close().await;
    (run, sent.objects.iter().map(|object| object.id).collect())
}

fn files(dir: &FilePath) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let below = entries.map(|entry| entry.path());
    below
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[tokio::test]
async fn runs_of_schema_version_1_stay_and_what_they_leave_goes() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let places = Places {
        database: Database::Postgres(server::place(flwr_postgres::Server::of_this_process()).await),
        storage: Storage::Dir(storage.clone()),
    };
    let (run, objects) = left(&places, &storage).await;
    let check = async |repair| {
        let places = places.clone();
        let checked = spawn_blocking(move || places.check(repair, NOON)).await;
        checked.unwrap().unwrap()
    };
    let open = async || {
        let places = places.clone();
        let opened = spawn_blocking(move || places.open(NOON)).await;
        opened.unwrap().unwrap()
    };
    // What nothing uses.
    let (stray, content) = content(50);
    let stray = path_in(&storage.join(OBJECTS), &stray);
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, &content).unwrap();
    let report = check(false).await;
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].text.ends_with("belongs to nothing"));
    let repaired = check(true).await;
    assert!(repaired.is_clean() && !stray.exists(), "{repaired:?}");
    let facts = &repaired.facts;
    let number = objects.len() + 1;
    assert!(
        facts
            .iter()
            .any(|fact| fact.starts_with(&format!("{number} blobs of "))),
        "{facts:?}"
    );

    // A start sees the same, and deletes the same.
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, &content).unwrap();
    let opened = open().await;
    assert!(!stray.exists() && opened.missing.is_empty(), "{opened:?}");
    assert_eq!(files(&storage.join(OBJECTS)).len(), objects.len());
    let status = opened.state.run(run).await.unwrap().unwrap().status;
    assert_eq!(status.phase, Phase::Running);
    opened.state.close().await;

    // A file that is gone is missing, and one that was changed is damaged.
    fs::remove_file(path_in(&storage.join(OBJECTS), &objects[0])).unwrap();
    fs::write(&files(&storage.join(FABS))[0], "other").unwrap();
    let report = check(false).await;
    let mut texts: Vec<_> = report
        .problems
        .iter()
        .map(|problem| &problem.text)
        .collect();
    texts.sort_unstable();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].contains("/fabs/") && texts[0].contains("is damaged"),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("/objects/") && texts[1].contains("is missing"),
        "{texts:?}"
    );
    let opened = open().await;
    assert_eq!(opened.missing, [objects[0]]);
    opened.state.close().await;

    // With the run its files go.
    assert!(check(true).await.is_clean());
    let opened = open().await;
    let status = opened.state.run(run).await.unwrap().unwrap().status;
    assert!(status.phase.is_finished(), "{status:?}");
    assert_eq!(files(&storage.join(OBJECTS)), Vec::<PathBuf>::new());
    assert_eq!(files(&storage.join(FABS)), Vec::<PathBuf>::new());
}
