//! What a check finds, and what a repair leaves.

use std::sync::Arc;

use bytes::Bytes;
use flwr_core::run::Phase;
use tempfile::TempDir;

use super::*;
use crate::store::battery::metrics::sample;
use crate::store::battery::world::{NOON, RUN, Sent, World, blob};
use crate::store::open::Opened;

/// A state with a running run that has one message, and the files of its objects.
struct Site {
    _dir: TempDir,
    places: Places,
    storage: PathBuf,
    sent: Sent,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("storage");
        let places = Places {
            database: Database::File(dir.path().join("state.db")),
            storage: Storage::Dir(storage.clone()),
        };
        let Opened { state, objects, .. } = places.open(NOON).unwrap();
        let world = World::new(Arc::clone(&state));
        world.running().await;
        let node = world.node(5, NOON + 60.0).await;
        let sent = world.send("model", node).await;
        for id in &sent.objects {
            // Only names matter to the state; what stands in the files is for the check.
            objects
                .keep(RUN, *id, Bytes::from_static(b"x"))
                .await
                .unwrap();
        }
        state.close().await;
        Self {
            _dir: dir,
            places,
            storage,
            sent,
        }
    }

    fn check(&self, repair: bool) -> Report {
        self.places.check(repair, NOON).unwrap()
    }

    fn write_object(&self, id: &ObjectId, content: &[u8]) {
        fs::write(path_in(&self.storage.join("objects"), id), content).unwrap();
    }
}

#[tokio::test]
async fn nothing_wrong_is_nothing_said() {
    let site = Site::new().await;
    let content = b"an object";
    let id = ObjectId::of(content);
    // A state whose objects are what their names say.
    let Opened { state, objects, .. } = site.places.open(NOON).unwrap();
    state.rewind_run(RUN).await.unwrap().1.freed.clear();
    let world = World::new(Arc::clone(&state));
    world.change(Phase::Starting).await;
    world.change(Phase::Running).await;
    let mut sent = site.sent.parcel.clone();
    sent.tree = flwr_core::object::ObjectTree::leaf(id);
    sent.message.metadata.id = id;
    let inserted = state.insert_instructions(RUN, vec![sent]).await;
    assert_eq!(inserted.unwrap().0.ids.len(), 1);
    objects
        .keep(RUN, id, Bytes::from_static(content))
        .await
        .unwrap();
    assert!(state.object_arrived(RUN, id, blob(id)).await.unwrap().0);
    state.close().await;
    drop((state, objects, world));
    for id in &site.sent.objects {
        let _ = fs::remove_file(path_in(&site.storage.join("objects"), id));
    }

    let report = site.check(false);
    // The FAB of this run was never there.
    let fabs = report.problems.iter().filter(|p| p.text.contains("fabs"));
    assert_eq!(fabs.count(), report.problems.len(), "{report:?}");
    assert!(
        report.facts[0].contains("1 nodes, 1 runs, 1 instructions"),
        "{report:?}"
    );
    assert!(
        report.facts[1].starts_with("the database takes"),
        "{report:?}"
    );
    assert!(
        report.facts[2].starts_with("1 runs, 0 of them finished, take"),
        "{report:?}"
    );
    assert!(
        report.facts[3].starts_with("1 objects of 9 bytes"),
        "{report:?}"
    );
}

#[tokio::test]
async fn damaged_missing_and_stray_files_are_found_and_mended() {
    let site = Site::new().await;
    let objects = site.storage.join("objects");
    fs::remove_file(path_in(&objects, &site.sent.objects[0])).unwrap();
    let stray = ObjectId::of(b"stray");
    fs::create_dir_all(path_in(&objects, &stray).parent().unwrap()).unwrap();
    site.write_object(&stray, b"stray");

    let report = site.check(false);
    let texts: Vec<_> = report
        .problems
        .iter()
        .map(|problem| &problem.text)
        .collect();
    let count = |word: &str| texts.iter().filter(|text| text.contains(word)).count();
    assert_eq!(count("damaged"), 2, "{texts:?}");
    assert_eq!(count("belongs to nothing"), 1, "{texts:?}");
    assert!(!report.is_clean());
    assert!(path_in(&objects, &stray).exists(), "nothing is changed");

    assert!(site.check(true).is_clean());
    let report = site.check(true);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(site.check(false).problems, []);
    let Opened { state, missing, .. } = site.places.open(NOON).unwrap();
    assert_eq!(missing, []);
    let run = state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::failed(LOST_OBJECTS));
}

#[tokio::test]
async fn metrics_that_do_not_fit_to_their_runs_are_found_and_mended() {
    let site = Site::new().await;
    let Opened { state, .. } = site.places.open(NOON).unwrap();
    let sample = sample(5, 1, 1.0, &[("loss", 0.5)]);
    state.add_samples(RUN, vec![sample], true).await.unwrap();
    state.close().await;
    drop(state);
    let Database::File(file) = &site.places.database else {
        panic!("the state is in a file");
    };
    let broken = rusqlite::Connection::open(file).unwrap();
    let sql = "PRAGMA foreign_keys = off;
               UPDATE run SET points = 7;
               INSERT INTO metric_point SELECT 1, round, type, node, source, name, value
               FROM metric_point;
               INSERT INTO metric_total SELECT 1, round, type, source, name, least, most, mean,
                 weight, replies, failures FROM metric_total;";
    broken.execute_batch(sql).unwrap();
    drop(broken);

    let told = |report: &Report| {
        let problems = report.problems.iter();
        let about_metrics = problems.filter(|problem| problem.text.contains("metric"));
        let told: Vec<_> = about_metrics
            .map(|problem| (problem.text.clone(), problem.mended))
            .collect();
        told
    };
    let expected = |mended| {
        [
            "1 metric points of runs that are not known",
            "1 metric totals of runs that are not known",
            "1 runs that count other metric points than they have",
        ]
        .map(|text| (text.to_owned(), mended))
    };
    assert_eq!(told(&site.check(false)), expected(false));
    assert_eq!(told(&site.check(true)), expected(true));
    assert_eq!(told(&site.check(false)), []);
    let Opened { state, .. } = site.places.open(NOON).unwrap();
    assert_eq!(state.metric_points(RUN).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_run_that_needs_it() {
    let site = Site::new().await;
    fs::remove_dir_all(&site.storage).unwrap();
    let report = site.check(false);
    let text = format!("is missing: it is needed by run {RUN}");
    assert!(
        report
            .problems
            .iter()
            .any(|problem| problem.text.contains(&text)),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_state_in_use_is_not_checked() {
    let site = Site::new().await;
    let _opened = site.places.open(NOON).unwrap();
    let error = site.places.check(true, NOON).unwrap_err();
    assert!(matches!(
        error,
        StoreError::Database(OpenError::Held { .. })
    ));
}

#[test]
fn where_there_is_no_database_there_is_nothing_to_check() {
    let dir = tempfile::tempdir().unwrap();
    let places = Places {
        database: Database::File(dir.path().join("none.db")),
        storage: Storage::Memory,
    };
    let report = places.check(true, NOON).unwrap();
    assert!(report.is_clean() && report.facts.len() == 1);
    assert!(!dir.path().join("none.db").exists());
}
