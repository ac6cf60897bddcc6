//! Backups of a state that is written meanwhile, what they refuse, and what is restored from them.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::monotonic;
use flwr_core::object::ObjectId;
use flwr_core::run::Phase;
use flwr_daemon::objects::path_in;
use tempfile::TempDir;

use super::*;
use crate::link::state::{Answer, Blob};
use crate::store::battery::world::{NOON, RUN, Sent, World};
use crate::store::open::{Opened, pause_of};

mod broken;
mod killed;

/// What the FAB of the run is.
const FAB: &[u8] = b"a bundle";

/// A state in a directory, as a SuperLink keeps it.
pub(super) struct Site {
    dir: PathBuf,
    places: Places,
}

/// A state that is open, with a run and a node.
pub(super) struct Live {
    opened: Opened,
    world: World,
    node: NodeId,
}

impl Site {
    pub(super) fn at(dir: &Path) -> Self {
        let database = dir.join("state.db");
        Self {
            dir: dir.to_owned(),
            places: Places {
                storage: Storage::beside(&database),
                database: Database::File(database),
            },
        }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.join("state.db")
    }

    pub(super) fn object(&self, id: &ObjectId) -> PathBuf {
        path_in(&self.dir.join("state.db.storage/objects"), id)
    }

    pub(super) fn back_up(&self, dir: &Path) -> Result<Saved, BackupError> {
        self.places.back_up(dir, false, NOON)
    }

    pub(super) fn add_to(&self, dir: &Path) -> Result<Saved, BackupError> {
        self.places.back_up(dir, true, NOON)
    }

    /// A state with a running run and a node.
    pub(super) async fn begin(&self) -> Live {
        let opened = self.places.open(NOON).unwrap();
        let world = World::new(Arc::clone(&opened.state));
        let fab = ObjectId::of(FAB);
        let kept = opened.fabs.keep(RUN, fab, Bytes::from_static(FAB)).await;
        assert_eq!(kept.unwrap(), Blob::OfId);
        world.pending_of(fab.to_string()).await;
        world.change(Phase::Starting).await;
        world.change(Phase::Running).await;
        let node = world.node(5, NOON + 60.0).await;
        Live {
            opened,
            world,
            node,
        }
    }

    /// The state as the next SuperLink finds it: whole.
    pub(super) fn open_whole(&self) -> World {
        let report = self.places.check(false, NOON).unwrap();
        assert!(report.is_clean(), "{report:?}");
        let opened = self.places.open(NOON).unwrap();
        assert_eq!(opened.missing, []);
        World::new(opened.state)
    }
}

impl Live {
    /// Sends an instruction to the node, with the bytes of its objects.
    pub(super) async fn send(&self, content: &str) -> Sent {
        let sent = Sent::instruction(content, self.node);
        self.put(&sent).await;
        self.world.send(content, self.node).await
    }

    async fn put(&self, sent: &Sent) {
        for (id, bytes) in sent.objects.iter().zip(&sent.contents) {
            let kept = self.opened.objects.keep(RUN, *id, bytes.clone()).await;
            assert_eq!(kept.unwrap(), Blob::OfId);
        }
    }

    /// The node takes the instruction and answers it. The objects of the instruction go.
    async fn answer(&self, asked: &Sent, content: &str) -> Sent {
        assert_eq!(self.world.claim(self.node, NOON).await, Some(asked.id()));
        assert_eq!(self.world.confirm(asked).await, []);
        self.put(&Sent::reply(content, asked)).await;
        let reply = self.world.reply(content, asked).await;
        self.delete(asked.objects.clone()).await;
        reply
    }

    pub(super) async fn delete(&self, freed: Vec<ObjectId>) {
        for id in freed {
            self.opened.objects.let_go(&id).await.unwrap();
        }
    }

    pub(super) async fn close(self) {
        self.opened.state.close().await;
    }
}

pub(super) struct Scratch(TempDir);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn site(&self, name: &str) -> Site {
        Site::at(&self.path(name))
    }
}

#[tokio::test]
async fn a_state_that_is_in_use_is_saved_and_restored_with_all_that_it_counts_on() {
    let scratch = Scratch::new();
    let (site, other, dir) = (
        scratch.site("home"),
        scratch.site("other"),
        scratch.path("backup"),
    );
    let live = site.begin().await;
    let sent = live.send("a model").await;
    let saved = site.back_up(&dir).unwrap();
    assert_eq!((saved.files.linked, saved.files.copied), (4, 0));
    assert_eq!((saved.runs, saved.missing.len()), (1, 0));
    // What happens later is not in the backup.
    live.send("a later model").await;
    let restored = other.places.restore(&dir).unwrap();
    assert_eq!(restored.files, saved.files);
    let world = other.open_whole();
    assert_eq!(world.claim(live.node, NOON).await, Some(sent.id()));
    world.confirm(&sent).await;
    assert_eq!(world.claim(live.node, NOON).await, None);
    // Two states now have the same files. None changes those of the other.
    live.delete(sent.objects.clone()).await;
    assert!(other.object(&sent.objects[0]).exists());
}

#[tokio::test]
async fn a_message_handed_out_after_the_backup_is_handed_out_again_and_answered_once() {
    let scratch = Scratch::new();
    let (site, other, dir) = (
        scratch.site("home"),
        scratch.site("other"),
        scratch.path("backup"),
    );
    let live = site.begin().await;
    let sent = live.send("a model").await;
    site.back_up(&dir).unwrap();
    let reply = live.answer(&sent, "trained").await;
    let node = live.node;
    live.close().await;
    other.places.restore(&dir).unwrap();
    let world = other.open_whole();
    assert_eq!(world.claim(node, NOON).await, Some(sent.id()), "again");
    world.confirm(&sent).await;
    // The node has the reply of before, and pushes the reply until it is acknowledged.
    for _ in 0..2 {
        let again = world.reply("trained", &sent).await;
        assert_eq!(again.id(), reply.id());
    }
    assert_eq!(world.answer(&sent, NOON).await, reply.as_answer());
    world.confirm(&reply).await;
    let taken = world.answer(&sent, NOON).await;
    assert!(matches!(taken, Answer::Unknown), "{taken:?}");
}

#[tokio::test]
async fn an_object_that_goes_while_it_is_saved_stays_until_the_end() {
    let scratch = Scratch::new();
    let (site, dir) = (scratch.site("home"), scratch.path("backup"));
    let live = site.begin().await;
    let sent = live.send("a model").await;
    let paused = pause_of(&site.database()).begin(Duration::ZERO).unwrap();
    live.answer(&sent, "trained").await;
    assert!(site.object(&sent.objects[0]).exists(), "postponed");
    drop(paused);
    live.opened.objects.catch_up().await.unwrap();
    assert!(!site.object(&sent.objects[0]).exists());
    assert_eq!(site.back_up(&dir).unwrap().missing.len(), 0);
}

/// Backs up once the folder is free. A process that another test starts has the lock of the backup before
/// for a moment, between its fork and its program.
fn back_up_when_free(site: &Site, dir: &Path, incremental: bool) -> Saved {
    let start = monotonic::now();
    loop {
        match site.places.back_up(dir, incremental, NOON) {
            Err(BackupError::InUse(_)) if start.elapsed() < Duration::from_secs(20) => {}
            made => return made.unwrap(),
        }
    }
}

/// Messages come, are answered and go, all the time. Each backup is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_backup_of_a_state_that_changes_is_whole() {
    let scratch = Scratch::new();
    let dir = scratch.path("backup");
    let site = Arc::new(scratch.site("home"));
    let live = site.begin().await;
    let saving = {
        let (site, dir) = (Arc::clone(&site), dir.clone());
        tokio::task::spawn_blocking(move || {
            let saved = (0..12).map(|number| back_up_when_free(&site, &dir, number % 2 == 1));
            saved.collect::<Vec<_>>()
        })
    };
    let mut round = 0;
    while !saving.is_finished() || round < 20 {
        let sent = live.send(&format!("model {round}")).await;
        let reply = live.answer(&sent, &format!("trained {round}")).await;
        live.delete(live.world.confirm(&reply).await).await;
        round += 1;
    }
    let saved = saving.await.unwrap();
    assert!(saved.iter().all(|saved| saved.missing.is_empty()));
    let other = scratch.site("other");
    other.places.restore(&dir).unwrap();
    other.open_whole();
}

#[tokio::test]
async fn a_backup_onto_the_last_adds_what_is_new_and_removes_what_is_not_needed() {
    let scratch = Scratch::new();
    let (site, dir) = (scratch.site("home"), scratch.path("backup"));
    let live = site.begin().await;
    let sent = live.send("a model").await;
    site.add_to(&dir).unwrap();
    let first = path_in(&dir.join("objects"), &sent.objects[0]);
    assert!(first.exists());
    live.answer(&sent, "trained").await;
    let added = site.add_to(&dir).unwrap();
    assert_eq!((added.files.linked, added.files.kept), (3, 1), "{added:?}");
    assert!(!first.exists());
    let again = site.back_up(&dir).unwrap();
    assert_eq!((again.files.linked, again.files.kept), (4, 0), "{again:?}");
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    let names: Vec<_> = names.iter().map(fs::DirEntry::file_name).collect();
    let expected = [
        "backup.json",
        "fabs",
        "lock",
        "objects",
        "owner",
        "state-3.db",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn what_the_superlink_has_lost_is_told_or_taken_from_the_last_backup() {
    let scratch = Scratch::new();
    let (site, dir) = (scratch.site("home"), scratch.path("backup"));
    let live = site.begin().await;
    let sent = live.send("a model").await;
    let lost = &sent.objects[0];
    let copy = scratch.path("copy");
    site.back_up(&dir).unwrap();
    fs::remove_file(site.object(lost)).unwrap();
    let saved = site.back_up(&dir).unwrap();
    assert_eq!((saved.missing.len(), saved.files.kept), (0, 1), "{saved:?}");
    let saved = site.back_up(&copy).unwrap();
    assert_eq!(saved.missing, [lost.to_string()]);
    let other = scratch.site("other");
    let restored = other.places.restore(&copy).unwrap();
    assert_eq!(restored.missing, [lost.to_string()]);
    let opened = other.places.open(NOON).unwrap();
    assert_eq!(opened.missing, [*lost], "its run is failed, as everywhere");
    assert!(opened.state.run(RUN).await.unwrap().is_some());
}

#[test]
fn a_state_in_memory_is_not_saved() {
    let scratch = Scratch::new();
    let places = Places {
        database: Database::Memory,
        storage: Storage::Memory,
    };
    let error = places.back_up(&scratch.path("backup"), false, NOON);
    assert!(matches!(error, Err(BackupError::InMemory)));
    let error = places.restore(&scratch.path("backup"));
    assert!(matches!(error, Err(BackupError::InMemory)));
}
