//! What an earlier SuperLink has left: one of schema version 1 bytes under the ids of objects and FABs,
//! a killed one files that were not finished.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path as FilePath, PathBuf};

use flwr_core::run::Phase;
use flwr_daemon::checkup::Report;
use flwr_daemon::objects::{Files, path_in};
use tokio::task::spawn_blocking;

use super::*;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::postgres::tests::server;
use crate::store::{Database, FABS, OBJECTS, Opened, Places, PostgresState, Storage, owner};

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

/// A directory with a database.
async fn places(storage: &FilePath) -> Places {
    Places {
        database: Database::Postgres(server::place(flwr_postgres::Server::of_this_process()).await),
        storage: Storage::Dir(storage.to_owned()),
    }
}

async fn open(places: &Places) -> Opened {
    let places = places.clone();
    let opened = spawn_blocking(move || places.open(NOON)).await;
    opened.unwrap().unwrap()
}

async fn check(places: &Places, repair: bool) -> Report {
    let places = places.clone();
    let checked = spawn_blocking(move || places.check(repair, NOON)).await;
    checked.unwrap().unwrap()
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
    let places = places(&storage).await;
    let (run, objects) = left(&places, &storage).await;
    // What nothing uses.
    let (stray, content) = content(50);
    let stray = path_in(&storage.join(OBJECTS), &stray);
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, &content).unwrap();
    let report = check(&places, false).await;
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].text.ends_with("belongs to nothing"));
    let repaired = check(&places, true).await;
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
    let opened = open(&places).await;
    assert!(!stray.exists() && opened.missing.is_empty(), "{opened:?}");
    assert_eq!(files(&storage.join(OBJECTS)).len(), objects.len());
    let status = opened.state.run(run).await.unwrap().unwrap().status;
    assert_eq!(status.phase, Phase::Running);
    opened.state.close().await;

    // A file that is gone is missing, and one that was changed is damaged.
    fs::remove_file(path_in(&storage.join(OBJECTS), &objects[0])).unwrap();
    fs::write(&files(&storage.join(FABS))[0], "other").unwrap();
    let report = check(&places, false).await;
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
    let opened = open(&places).await;
    assert_eq!(opened.missing, [objects[0]]);
    opened.state.close().await;

    // With the run its files go.
    assert!(check(&places, true).await.is_clean());
    let opened = open(&places).await;
    let status = opened.state.run(run).await.unwrap().unwrap().status;
    assert!(status.phase.is_finished(), "{status:?}");
    assert_eq!(files(&storage.join(OBJECTS)), Vec::<PathBuf>::new());
    assert_eq!(files(&storage.join(FABS)), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn files_that_a_killed_superlink_did_not_finish_go() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let places = places(&storage).await;
    let state = open(&places).await.state;
    state.close().await;
    drop(state);
    let id = owner::read(&storage).unwrap().unwrap();
    // As the library names a file until it is whole.
    let half = |epoch: i64| {
        let run = storage.join(format!("o/{id}-{epoch}/77"));
        fs::create_dir_all(&run).unwrap();
        let half = run.join("0123456789abcdef#1");
        fs::write(&half, "half").unwrap();
        half
    };
    let first = half(1);
    let report = check(&places, false).await;
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].text.contains("#1 belongs to nothing"));
    assert!(check(&places, true).await.is_clean() && !first.exists());

    let earlier = half(1);
    let opened = open(&places).await;
    let federation = Federation::with_bytes(opened.state, None, opened.objects, opened.fabs);
    // A start of now writes at this moment.
    let own = half(100);
    federation.link.delete_leftovers().await.unwrap();
    assert!(!earlier.exists() && own.exists());
    let start = earlier.parent().and_then(FilePath::parent).unwrap();
    assert!(!start.exists(), "{}", start.display());
}

#[tokio::test]
async fn nobody_else_can_enter_the_folder_of_objects() {
    let dir = tempfile::tempdir().unwrap();
    let storage = dir.path().join("storage");
    let mode = |path: &FilePath| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // A directory that an administrator has made, as it was used before.
    fs::create_dir_all(storage.join("o")).unwrap();
    for path in [&storage, &storage.join("o")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let places = places(&storage).await;
    for _ in 0..2 {
        let opened = open(&places).await;
        assert_eq!(mode(&storage.join("o")), 0o700);
        // The last file goes, with all folders that it leaves empty.
        let (id, content) = content(INLINE_MAX + 1);
        let blob = opened.objects.keep(RUN, id, content).await.unwrap();
        opened.objects.discard(&id, &blob).await.unwrap();
        assert_eq!(mode(&storage.join("o")), 0o700);
        opened.state.close().await;
    }
}
