//! A file with something of everything, before and after it is imported.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flwr_core::id::{NodeId, RunId};
use flwr_core::time::Timestamp;
use flwr_postgres::Server;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::*;
use crate::link::state::LinkState;
use crate::link::tests::Federation;
use crate::store::battery::world::NOON;
use crate::store::open::Opened;
use crate::store::postgres::tests::audit::audit;
use crate::store::postgres::tests::server;
use crate::store::{PostgresUrl, StoreError};

mod filled;
mod refused;
mod told;

use filled::{Filled, fill};
use told::{goes_on, told};

/// Opens a state as a daemon does.
async fn open(places: &Places) -> Result<Opened, StoreError> {
    let places = places.clone();
    spawn_blocking(move || places.open(NOON)).await.unwrap()
}

fn federation(opened: Opened) -> Federation {
    Federation::with_bytes(opened.state, None, opened.objects, opened.fabs)
}

/// A file that was filled, and the place to which it is imported.
struct Site {
    dir: TempDir,
    filled: Filled,
    address: PostgresUrl,
}

impl Site {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Self {
            filled: Filled::default(),
            address: server::place(Server::of_this_process()).await,
            dir,
        };
        let federation = federation(open(&site.old()).await.unwrap());
        let filled = fill(&federation).await;
        federation.link.close().await;
        Self { filled, ..site }
    }

    fn import(&self) -> Import {
        Import {
            file: self.dir.path().join("state.db"),
            storage: None,
        }
    }

    fn old(&self) -> Places {
        let file = self.import().file;
        Places {
            storage: Storage::beside(&file),
            database: Database::File(file),
        }
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("new")
    }

    fn new_place(&self) -> Places {
        Places {
            storage: Storage::Dir(self.storage()),
            database: Database::Postgres(self.address.clone()),
        }
    }

    async fn imported(&self) -> Result<Imported, ImportError> {
        self.new_place().import(&self.import(), &|_| {}).await
    }
}

/// The files below a directory, by their paths there.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    found.sort_unstable();
    found
}

/// Moves the rows of a file, whose bytes nobody has kept.
pub(in crate::store) async fn move_rows(file: &Path, to: &PostgresUrl) {
    let source = Export::open(file).unwrap();
    source.note_adopter(None).unwrap();
    let mut vacant = Vacant::open(to).await.unwrap().unwrap();
    let filling = vacant.begin().await.unwrap();
    copy_rows(&source, &filling, &|_| {}).await.unwrap();
    assert_eq!(filling.problems().await.unwrap(), [""; 0]);
    filling.commit().await.unwrap();
}

#[tokio::test]
async fn all_that_a_file_knows_is_known_to_the_database_and_goes_on_alike() {
    let site = Site::new().await;
    let before = federation(open(&site.old()).await.unwrap());
    let expected = told(&before, &site.filled).await;
    before.link.close().await;
    drop(before);
    let (file, objects) = (
        fs::read(site.import().file).unwrap(),
        files(&site.dir.path().join("state.db.storage")),
    );
    let apps = site.dir.path().join("state.db.apps");
    fs::create_dir(&apps).unwrap();
    fs::write(apps.join("run-1.out"), "last words\n").unwrap();
    let lines = RefCell::new(Vec::new());
    let tell = |line| lines.borrow_mut().push(line);
    let imported = site.new_place().import(&site.import(), &tell).await;
    let imported = imported.unwrap().to_string();
    // Two runs have the same large object, and three runs a bundle.
    assert!(
        imported.contains("5 objects and FABs") && imported.contains("4 of run"),
        "{imported}"
    );
    let lines = lines.into_inner().join("\n");
    assert!(lines.contains("rows of log copied"), "{lines}");
    assert_eq!(fs::read(site.import().file).unwrap(), file);
    assert_eq!(files(&site.dir.path().join("state.db.storage")), objects);

    audit(&site.address).await;
    let opened = open(&site.new_place()).await.unwrap();
    assert_eq!(opened.missing, []);
    let output = opened.outputs.as_ref().unwrap().join("run-1.out");
    assert_eq!(fs::read(output).unwrap(), b"last words\n");
    let after = federation(opened);
    let found = told(&after, &site.filled).await;
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    audit(&site.address).await;
    // What is still to come is the same in both.
    let before = federation(open(&site.old()).await.unwrap());
    let expected = goes_on(&before, &site.filled).await;
    assert_eq!(goes_on(&after, &site.filled).await, expected);
    audit(&site.address).await;
}

#[tokio::test]
async fn a_bucket_takes_the_bytes_and_the_superlink_that_is_named_the_processes() {
    use crate::store::blobs::tests::bucket;
    let site = Site::new().await;
    let (bucket, _dir) = bucket::bucket(
        flwr_bucket::Server::of_this_process().address(),
        flwr_bucket::SECRET,
    );
    let places = Places {
        storage: Storage::Bucket(bucket),
        ..site.new_place()
    };
    places.import(&site.import(), &|_| {}).await.unwrap();
    let opened = open(&places).await.unwrap();
    assert_eq!(opened.state.processes().await.unwrap().len(), 1);
    let after = federation(opened);
    let before = federation(open(&site.old()).await.unwrap());
    let expected = told(&before, &site.filled).await;
    assert_eq!(told(&after, &site.filled).await, expected);
    after.link.close().await;
    drop(after);
    let Storage::Bucket(bucket) = places.storage else {
        unreachable!()
    };
    let other = Places {
        storage: Storage::Bucket(crate::store::Bucket {
            superlink: "b".to_owned(),
            ..bucket
        }),
        ..site.new_place()
    };
    let opened = open(&other).await.unwrap();
    assert_eq!(opened.state.processes().await.unwrap(), []);
}

#[tokio::test]
async fn an_import_that_is_cut_leaves_an_empty_database_and_bytes_that_are_swept() {
    let site = Site::new().await;
    let cut = tokio::sync::Notify::new();
    let tell = |line: String| {
        if line.contains("rows of log") {
            cut.notify_one();
        }
    };
    let (places, import) = (site.new_place(), site.import());
    tokio::select! {
        biased;
        () = cut.notified() => {}
        ended = places.import(&import, &tell) => panic!("it ended: {ended:?}"),
    }
    let names = files(&site.storage());
    assert_eq!(names.len(), 7, "five blobs, and two files about the owner");
    let imported = site.imported().await.unwrap();
    assert_eq!(imported.named, 5);
    let opened = open(&site.new_place()).await.unwrap();
    let left = opened.objects.earlier_names(None).await.unwrap();
    let unknown = opened.state.unknown_names(left.clone()).await.unwrap();
    assert_eq!(unknown.len(), 5, "{left:?}");
    let after = federation(opened);
    after.link.delete_leftovers().await.unwrap();
    assert_eq!(files(&site.storage()).len(), 7);
    told(&after, &site.filled).await;
    audit(&site.address).await;
}

#[tokio::test]
async fn a_file_of_each_earlier_version_is_imported_and_left_as_it_was() {
    for folder in fs::read_dir(crate::store::fixtures::states()).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let place = crate::store::fixtures::Place::of(&folder);
        let file = place.database();
        let before = fs::read(&file).unwrap();
        let places = Places {
            storage: Storage::Dir(place.dir.path().join("new")),
            database: Database::Postgres(server::place(Server::of_this_process()).await),
        };
        let import = Import {
            file: file.clone(),
            storage: None,
        };
        places.import(&import, &|_| {}).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), before);
        let beside = fs::read_dir(place.dir.path()).unwrap().flatten();
        let mut beside: Vec<_> = beside.map(|entry| entry.file_name()).collect();
        beside.sort_unstable();
        assert_eq!(
            beside,
            ["new", "state.db", "state.db.lock", "state.db.storage"],
            "{}",
            folder.display()
        );
        let opened = open(&places).await.unwrap();
        let state: &Arc<dyn LinkState> = &opened.state;
        assert_eq!(state.runs().await.unwrap().len(), 2);
        let log = state
            .log_after(RunId(77), Timestamp::ZERO, usize::MAX)
            .await;
        assert_eq!(log.unwrap().len(), 1);
        let session = state.session(NodeId(5)).await.unwrap().unwrap();
        let claimed = state.claim_message(NodeId(5), session, NOON).await.unwrap();
        assert!(claimed.is_some(), "a message waits");
    }
}
