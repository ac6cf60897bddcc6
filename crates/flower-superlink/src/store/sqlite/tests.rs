//! What is special about a state in a file: it comes back, and it is not opened by mistake.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use flwr_core::id::{NodeId, RunId};
use flwr_core::run::{Phase, RunStatus};
use flwr_core::time::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::link::state::{Answer, Outlook, RETURN, Traffic, Upkeep};
use crate::store::battery::world::{NOON, RUN, Sent, TASK, TTL, World, blob, key};

mod cost;
mod snapshots;
mod versions;

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("state.db")
    }

    fn open(&self, now: Timestamp) -> World {
        World::new(Arc::new(SqliteState::open(&self.file(), now).unwrap()))
    }

    fn refused(&self) -> String {
        let before = fs::read(self.file()).unwrap();
        let error = SqliteState::open(&self.file(), NOON).unwrap_err();
        assert_eq!(fs::read(self.file()).unwrap(), before, "untouched");
        let text = error.to_string();
        assert!(text.contains("state.db"), "{text}");
        text
    }
}

#[tokio::test]
async fn everything_is_there_again() {
    let place = Place::new();
    let world = place.open(NOON);
    world.running().await;
    let key = key();
    let node = world.comes(&key, NodeId(5), NOON + 60.0).await.0.node;
    let (taken, waiting) = (
        world.send("taken", node).await,
        world.send("waiting", node).await,
    );
    assert_eq!(world.claim(node, NOON).await, Some(taken.id()));
    let reply = world.reply("reply", &taken).await;
    let half = Sent::instruction("half", node);
    let missing = world
        .state
        .insert_instructions(RUN, vec![half.parcel.clone()]);
    let missing = missing.await.unwrap().0.missing;
    world
        .state
        .append_log(RUN, "line\n".to_owned(), NOON)
        .await
        .unwrap();
    let token = ObjectId::of(b"token");
    assert!(world.state.claim_task(TASK, token, NOON).await.unwrap());
    drop(world);

    let later = NOON + 500.0;
    let world = place.open(later);
    assert_eq!(world.state.node_of_key(&key).await.unwrap(), Some(node));
    assert_eq!(
        world.state.online_nodes(later).await.unwrap(),
        [node],
        "time to return"
    );
    assert_eq!(world.answer(&taken, later).await, reply.as_answer());
    assert_eq!(world.claim(node, later).await, Some(waiting.id()));
    for object in missing {
        world
            .state
            .object_arrived(RUN, object, blob(object))
            .await
            .unwrap();
    }
    world
        .state
        .confirm(RUN, waiting.id())
        .await
        .unwrap()
        .1
        .freed
        .clear();
    assert_eq!(world.claim(node, later).await, Some(half.id()));
    assert_eq!(world.state.task_of_token(token).await.unwrap().run, RUN);
    let log = world
        .state
        .log_after(RUN, Timestamp::ZERO, usize::MAX)
        .await
        .unwrap();
    assert_eq!(log.len(), 1);
    let run = world.state.run(RUN).await.unwrap().unwrap();
    assert_eq!(run.status.phase, Phase::Running);
    assert_eq!(run.account, "alice-1");
    assert!(world.app_lives(later + TTL).await);
}

#[tokio::test]
async fn nodes_that_were_gone_do_not_come_back_by_a_restart() {
    let place = Place::new();
    let world = place.open(NOON);
    let gone = world.node(5, NOON + 10.0).await;
    let there = world.node(6, NOON + 90.0).await;
    world.state.expire(NOON + 40.0).await.unwrap();
    drop(world);
    let world = place.open(NOON + 200.0);
    assert_eq!(
        world.state.online_nodes(NOON + 200.0).await.unwrap(),
        [there]
    );
    assert!(world.is_kept(gone, NOON + 300.0).await, "it may return");
}

/// The SuperLink is killed once more before a node is heard, and after that who is online was written.
#[tokio::test]
async fn the_time_to_return_outlives_another_kill() {
    let place = Place::new();
    let (there, left) = {
        let world = place.open(NOON);
        let left = world.node(6, NOON + 30.0).await;
        world.state.deactivate_node(left, NOON).await.unwrap();
        (world.node(5, NOON + 30.0).await, left)
    };
    let world = place.open(NOON + 15.0);
    world.state.expire(NOON + 15.0).await.unwrap();
    world.state.expire(NOON + 65.0).await.unwrap();
    drop(world);
    let now = NOON + 66.0;
    let world = place.open(now);
    assert_eq!(world.state.online_nodes(now).await.unwrap(), [there]);
    let left = world.state.node(left).await.unwrap().unwrap();
    assert_eq!(left.outlook(), Outlook::Left(now + RETURN));
}

#[tokio::test]
async fn the_owners_of_nodes_certificates_are_known_after_a_restart() {
    let place = Place::new();
    let world = place.open(NOON);
    world.state.note_certificate("CN=node-1").await.unwrap();
    drop(world);
    let world = place.open(NOON);
    assert!(world.state.is_of_node("CN=node-1"));
    assert!(!world.state.is_of_node("CN=node-2"));
}

#[test]
fn one_superlink_at_a_time() {
    let place = Place::new();
    let first = SqliteState::open(&place.file(), NOON).unwrap();
    let text = place.refused();
    let pid = format!("another flower-superlink (pid {})", std::process::id());
    assert!(text.contains(&pid), "{text}");
    drop(first);
    SqliteState::open(&place.file(), NOON).unwrap();
}

#[test]
fn the_file_is_private() {
    let place = Place::new();
    let file = place.0.path().join("made").join("state.db");
    let _state = SqliteState::open(&file, NOON).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
}

#[test]
fn a_new_database_has_its_name_once_it_is_complete() {
    let place = Place::new();
    let rest = ["new", "new-journal", "new-wal"].map(|ending| beside(&place.file(), ending));
    for path in &rest {
        fs::write(path, "of a SuperLink that was killed").unwrap();
    }
    // An empty file, reached through a link: the link stays.
    let link = place.0.path().join("link.db");
    fs::write(place.file(), "").unwrap();
    symlink(place.file(), &link).unwrap();
    SqliteState::open(&link, NOON).unwrap();
    assert!(link.is_symlink());
    assert!(rest.iter().all(|path| !path.exists()));
    let start = fs::read(place.file()).unwrap();
    assert!(start.starts_with(b"SQLite format 3\0"));
}

#[test]
fn what_is_no_state_of_ours_is_refused_and_left_alone() {
    let place = Place::new();
    fs::write(place.file(), "these are notes, and no database").unwrap();
    assert!(place.refused().contains("is not a SQLite database"));

    fs::remove_file(place.file()).unwrap();
    let other = Connection::open(place.file()).unwrap();
    other
        .execute_batch("CREATE TABLE notes (text TEXT)")
        .unwrap();
    drop(other);
    assert!(
        place
            .refused()
            .contains("another program's SQLite database")
    );
}

#[tokio::test]
async fn a_newer_state_is_refused_and_left_alone() {
    let place = Place::new();
    let state = SqliteState::open(&place.file(), NOON).unwrap();
    // Nothing of it is written any more.
    state.close().await;
    drop(state);
    let newer = Connection::open(place.file()).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.execute("UPDATE link SET oldest = 99", []).unwrap();
    newer.pragma_update(None, "wal_checkpoint", "truncate").ok();
    drop(newer);
    assert!(place.refused().contains("schema version 99"));
}

#[tokio::test]
async fn a_state_of_the_first_version_is_brought_up_to_date() {
    let place = Place::new();
    let first = Connection::open(place.file()).unwrap();
    first
        .execute_batch(include_str!("../migrations/0001_state.sql"))
        .unwrap();
    let line = key().to_openssh();
    first
        .execute(
            "INSERT INTO node (id, key, online_until) VALUES (5, ?, ?)",
            rusqlite::params![line, (NOON + 60.0).as_secs()],
        )
        .unwrap();
    let old_run = "INSERT INTO run (id, fab_id, fab_version, fab_hash, override_config, phase,
                       details, pending_at, first_context, context)
                   VALUES (7, '', '', '', x'', 'pending', '', 1.0, x'', x'')";
    first.execute(old_run, []).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    let ours = i32::from_be_bytes(*b"FwSL");
    first.pragma_update(None, "application_id", ours).unwrap();
    drop(first);
    for _ in 0..2 {
        let world = place.open(NOON);
        let online = world.state.online_nodes(NOON).await.unwrap();
        assert_eq!(online, [NodeId(5)]);
        let run = world.state.run(RunId(7)).await.unwrap().unwrap();
        assert_eq!(run.account, "", "nobody signed in then");
    }
}

#[tokio::test]
async fn a_damaged_state_is_refused_and_left_alone() {
    let place = Place::new();
    let state = SqliteState::open(&place.file(), NOON).unwrap();
    state.close().await;
    drop(state);
    let whole = fs::read(place.file()).unwrap();
    let mut torn = whole.clone();
    torn[4096..2 * 4096].fill(0xa5);
    fs::write(place.file(), &torn).unwrap();
    assert!(place.refused().contains("damaged"), "torn");
    fs::write(place.file(), &whole[..whole.len() / 2]).unwrap();
    assert!(place.refused().contains("damaged"), "cut off");
    fs::write(place.file(), &whole[..50]).unwrap();
    assert!(!place.refused().is_empty(), "cut off within its first page");
    fs::write(place.file(), whole).unwrap();
    SqliteState::open(&place.file(), NOON).unwrap();
}

fn fill(text: usize) -> String {
    "x".repeat(text)
}

#[tokio::test]
async fn the_file_shrinks_when_runs_are_deleted() {
    let place = Place::new();
    let world = place.open(NOON);
    world.pending().await;
    for second in 0..8 {
        let now = NOON + f64::from(second);
        world
            .state
            .append_log(RUN, fill(4 << 20), now)
            .await
            .unwrap();
    }
    // The log keeps 8 MiB; what it dropped is free already.
    let stopped = RunStatus::plain(Phase::Finished(flwr_core::run::Outcome::Stopped));
    let freed = world.state.change_run(RUN, stopped, NOON).await;
    freed.unwrap().1.freed.clear();
    let full = world.state.usage().await.unwrap();
    assert!(full.file_bytes > 8 << 20, "{full:?}");
    world.state.delete_run(RUN).await.unwrap();
    // As often as the reaper may come in two minutes.
    for _ in 0..60 {
        world.state.give_back().await.unwrap();
    }
    let usage = world.state.usage().await.unwrap();
    assert!(usage.file_bytes < 5 << 20, "{usage:?}");
    assert!(usage.free_bytes >= 4 << 20, "some space stays: {usage:?}");
    // The checkpoint was ordered before this write, and is done when it is.
    world.state.expire(NOON + 1000.0).await.unwrap();
    let size = fs::metadata(place.file()).unwrap().len();
    assert_eq!(size, usage.file_bytes, "the file itself");
}

#[tokio::test]
async fn a_restored_dump_can_give_space_back_again() {
    let place = Place::new();
    let world = place.open(NOON);
    world.pending().await;
    world.state.close().await;
    drop(world);
    let connection = Connection::open(place.file()).unwrap();
    connection
        .execute_batch("PRAGMA auto_vacuum = 0; VACUUM")
        .unwrap();
    assert!(!file::gives_back(&connection).unwrap());
    drop(connection);
    let world = place.open(NOON);
    assert!(world.state.run(RUN).await.unwrap().is_some());
    drop(world);
    let connection = Connection::open(place.file()).unwrap();
    assert!(file::gives_back(&connection).unwrap());
}

#[tokio::test]
async fn a_state_that_cannot_be_written_says_so() {
    let place = Place::new();
    let world = place.open(NOON);
    world.state.try_to_write().await.unwrap();
    world.state.close().await;
    assert!(world.state.try_to_write().await.is_err(), "nobody writes");
}
