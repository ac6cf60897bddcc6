//! Backups and restores that are killed, or end with the power. A kill leaves what was written; a
//! power cut leaves less. The model of `flwr-powercut` has both.

use std::collections::HashSet;

use flwr_powercut::{self as powercut, Cut, Names};

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Stands before the acknowledgement of each backup.
const SAVING: &str = "saving";

/// Three backups into one folder, of a state that changes between them.
async fn work(dir: &Path) {
    let site = Site::at(&dir.join("home"));
    let live = site.begin().await;
    let backup = dir.join("backup");
    let mut last: Option<Sent> = None;
    for (number, content) in CONTENTS.into_iter().enumerate() {
        if let Some(last) = last {
            live.answer(&last, &format!("reply {number}")).await;
        }
        let sent = live.send(content).await;
        powercut::acknowledge(SAVING);
        let incremental = number == 1;
        site.places.back_up(&backup, incremental, NOON).unwrap();
        powercut::acknowledge(content);
        last = Some(sent);
    }
}

/// What the instruction of each backup says.
const CONTENTS: [&str; 3] = ["first", "second", "third"];

/// The number of finished backups.
fn finished(cut: &Cut<'_>) -> usize {
    let finished = cut.acknowledged.iter().filter(|answer| *answer != SAVING);
    finished.count()
}

/// After each of so many cuts, the next backup is made: more would take minutes.
const AGAIN: usize = 7;

/// A directory whose syncs take no time, where there is one.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Restores what is left of the folder. The state is that of the last backup, or of the next, which was
/// just not acknowledged.
async fn check(cut: &Cut<'_>, and_again: bool) {
    let other = in_memory();
    let site = Site::at(&other.path().join("home"));
    let restored = site.places.restore(&cut.disk.join("backup"));
    let number = finished(cut);
    if number == 0 && matches!(restored, Err(BackupError::NoBackup(_))) {
        return;
    }
    restored.unwrap_or_else(|error| panic!("{:?} after {number} backups: {error}", cut.names));
    let world = site.open_whole();
    let nodes = world.state.nodes().await.unwrap();
    let waiting = world.claim(nodes[0].id, NOON).await.unwrap();
    let ids = CONTENTS.map(|content| Sent::instruction(content, nodes[0].id).id());
    let place = ids.iter().position(|id| *id == waiting).unwrap();
    assert!(
        place + 1 == number || place == number,
        "{:?}: backup {place} after {number} backups",
        cut.names
    );
    if !and_again {
        return;
    }
    // The next backup into the folder is whole, whatever is left there.
    let again = Site::at(&other.path().join("again"));
    site.add_to(&cut.disk.join("backup")).unwrap();
    again.places.restore(&cut.disk.join("backup")).unwrap();
    drop(world);
    again.open_whole();
}

#[test]
fn a_backup_that_ends_at_any_moment_leaves_the_last_one_whole() {
    if let Some(dir) = powercut::child() {
        return runtime().block_on(work(&dir));
    }
    if !powercut::can_trace() {
        return;
    }
    let recording = powercut::record(
        "store::backup::tests::killed::a_backup_that_ends_at_any_moment_leaves_the_last_one_whole",
    );
    let (runtime, mut backups, mut checked) = (runtime(), 0, 0);
    let mut seen = HashSet::new();
    recording.cut(|cut| {
        backups = finished(cut);
        let is_saving = cut.acknowledged.last().is_some_and(|last| last == SAVING);
        // Between two backups the folder stays as it is.
        if is_saving || seen.insert((backups, cut.names == Names::All)) {
            checked += 1;
            runtime.block_on(check(cut, checked % AGAIN == 0));
        }
    });
    assert_eq!(backups, 3);
    assert!(checked > 12 * backups, "{checked} cuts: few syncs are seen");
}

#[tokio::test]
async fn a_restore_that_was_killed_begins_again() {
    let scratch = Scratch::new();
    let (site, other, dir) = (
        scratch.site("home"),
        scratch.site("other"),
        scratch.path("backup"),
    );
    let live = site.begin().await;
    live.send("a model").await;
    site.back_up(&dir).unwrap();
    // Killed while it wrote beside the place, and between the names of directory and database.
    let staged = other.dir.join("state.db.storage.restoring/objects");
    fs::create_dir_all(&staged).unwrap();
    fs::write(staged.join("half"), "half").unwrap();
    fs::write(other.dir.join("state.db.restoring"), "half").unwrap();
    let storage = other.dir.join("state.db.storage");
    fs::create_dir(&storage).unwrap();
    fs::write(storage.join("restoring"), "").unwrap();
    fs::write(storage.join("rest"), "of the killed one").unwrap();
    other.places.restore(&dir).unwrap();
    assert!(!storage.join("rest").exists() && !storage.join("restoring").exists());
    assert!(!other.dir.join("state.db.restoring").exists());
    other.open_whole();
}
