//! A state of each schema version so far, in `testdata/states`. Every later program opens all of them:
//! runs are listed, logs read, a waiting message is handed out, and a half-pushed reply finished.
//!
//! `cargo xtask fixture` adds the state of today's version. A version without a state fails here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::object::ObjectId;
use flwr_core::run::{Outcome, Phase, RunStatus};
use flwr_core::time::Timestamp;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;

use super::battery::world::{NOON, RUN, Sent, World, blob};
use super::open::Opened;
use super::place::{Database, Places, Storage};
use crate::link::state::Blob;

/// Has the state of today's version written.
const WRITE: &str = "FLWR_WRITE_FIXTURE";
/// The node of each state.
const NODE: NodeId = NodeId(5);
/// What the run is made from.
const FAB: &[u8] = b"a bundle";
const LINE: &str = "round 1: accuracy 0.9\n";
/// The dump of the database, and the files of the storage directory in hexadecimal.
const DUMP: &str = "state.sql";
const FILES: &str = "storage.txt";

pub(super) fn states() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/states")
}

/// A state of its own in a directory that goes with it.
pub(super) struct Place {
    pub(super) dir: TempDir,
    places: Places,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("state.db");
        let places = Places {
            storage: Storage::beside(&database),
            database: Database::File(database),
        };
        Self { dir, places }
    }

    /// The state in a folder of `testdata/states`.
    pub(super) fn of(folder: &Path) -> Self {
        let place = Self::new();
        let made = Connection::open(place.database()).unwrap();
        let dump = fs::read_to_string(folder.join(DUMP)).unwrap();
        made.execute_batch(&dump).unwrap();
        let files = fs::read_to_string(folder.join(FILES)).unwrap();
        for line in files.lines() {
            let (path, content) = line.split_once(' ').unwrap();
            let path = place.storage().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, hex::decode(content).unwrap()).unwrap();
        }
        place
    }

    pub(super) fn database(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("state.db.storage")
    }

    fn open(&self) -> (World, Opened) {
        let opened = self.places.open(NOON).unwrap();
        (World::new(Arc::clone(&opened.state)), opened)
    }
}

/// What stands in each state, of a running run: its messages, by what is to be done with them.
struct Messages {
    answered: Sent,
    half_answered: Sent,
    waiting: Sent,
}

impl Messages {
    fn new() -> Self {
        let message = |content| Sent::instruction(content, NODE);
        Self {
            answered: message("answered"),
            half_answered: message("half answered"),
            waiting: message("waiting"),
        }
    }
}

async fn put(opened: &Opened, sent: &Sent) {
    for (id, bytes) in sent.objects.iter().zip(&sent.contents) {
        opened.objects.keep(RUN, *id, bytes.clone()).await.unwrap();
    }
}

/// The state of today's program.
async fn made_today() -> Place {
    let place = Place::new();
    let (world, opened) = place.open();
    let fab = ObjectId::of(FAB);
    opened
        .fabs
        .keep(RUN, fab, Bytes::from_static(FAB))
        .await
        .unwrap();
    world.pending_of(fab.to_string()).await;
    let finished = RunId(RUN.0 - 1);
    let run = world.state.run(RUN).await.unwrap().unwrap();
    let run = flwr_core::run::Run {
        id: finished,
        ..run
    };
    let made = world.state.create_run(run, Default::default(), None).await;
    made.unwrap().1.freed.clear();
    for phase in [
        Phase::Starting,
        Phase::Running,
        Phase::Finished(Outcome::Completed),
    ] {
        let status = RunStatus::plain(phase);
        let changed = world.state.change_run(finished, status, NOON).await;
        assert_eq!(changed.unwrap().1.freed, []);
    }
    world.change(Phase::Starting).await;
    world.change(Phase::Running).await;
    for run in [finished, RUN] {
        let appended = world.state.append_log(run, LINE.to_owned(), NOON);
        appended.await.unwrap();
    }
    assert_eq!(world.node(NODE.0, NOON + 60.0).await, NODE);
    let Messages {
        answered,
        half_answered,
        waiting,
    } = Messages::new();
    for sent in [&answered, &half_answered] {
        put(&opened, sent).await;
        world.send(content_of(sent), NODE).await;
        assert_eq!(world.claim(NODE, NOON).await, Some(sent.id()));
        world.confirm(sent).await;
    }
    put(&opened, &Sent::reply("reply", &answered)).await;
    world.reply("reply", &answered).await;
    for freed in &answered.objects {
        opened.objects.let_go(freed).await.unwrap();
    }
    let half = Sent::reply("half", &half_answered);
    let missing = world.state.insert_reply(half.parcel.clone(), NOON).await;
    assert_eq!(missing.unwrap().0.len(), 3);
    opened
        .objects
        .keep(RUN, half.objects[0], half.contents[0].clone())
        .await
        .unwrap();
    world
        .state
        .object_arrived(RUN, half.objects[0], blob(half.objects[0]))
        .await
        .unwrap()
        .1
        .freed
        .clear();
    put(&opened, &waiting).await;
    world.send("waiting", NODE).await;
    opened.state.close().await;
    place
}

/// What an instruction was made from.
fn content_of(sent: &Sent) -> &'static str {
    let all = ["answered", "half answered", "waiting"];
    let found = all
        .into_iter()
        .find(|content| Sent::instruction(content, NODE).id() == sent.id());
    found.unwrap()
}

/// Everything is as it was left, and goes on.
async fn goes_on(folder: &Path) {
    let place = Place::of(folder);
    let report = place.places.check(false, NOON).unwrap();
    assert!(report.is_clean(), "{}: {report:?}", folder.display());
    let (world, opened) = place.open();
    assert_eq!(opened.missing, []);
    let state = &world.state;
    let runs = state.runs().await.unwrap();
    let mut phases: Vec<_> = runs.iter().map(|run| (run.id, run.status.phase)).collect();
    phases.sort_unstable_by_key(|(id, _)| *id);
    let finished = RunId(RUN.0 - 1);
    let expected = [
        (finished, Phase::Finished(Outcome::Completed)),
        (RUN, Phase::Running),
    ];
    assert_eq!(phases, expected);
    for run in [finished, RUN] {
        let log = state
            .log_after(run, Timestamp::ZERO, usize::MAX)
            .await
            .unwrap();
        assert!(log.iter().any(|entry| entry.text == LINE), "{log:?}");
    }
    let fab = opened
        .fabs
        .read(&ObjectId::of(FAB), &Blob::OfId)
        .await
        .unwrap();
    assert_eq!(fab.as_deref(), Some(FAB));

    let messages = Messages::new();
    let reply = Sent::reply("reply", &messages.answered);
    let answer = world.answer(&messages.answered, NOON).await;
    assert_eq!(answer, reply.as_answer());
    assert_eq!(world.claim(NODE, NOON).await, Some(messages.waiting.id()));
    for (id, bytes) in messages
        .waiting
        .objects
        .iter()
        .zip(&messages.waiting.contents)
    {
        let found = opened.objects.read(id, &Blob::OfId).await.unwrap();
        assert_eq!(found.as_ref(), Some(bytes));
    }
    // The node pushes its half-pushed reply again, and what is missing.
    let half = Sent::reply("half", &messages.half_answered);
    let again = state.insert_reply(half.parcel.clone(), NOON).await.unwrap();
    assert_eq!(again.0.len(), 2, "one object is there");
    for (id, bytes) in half.objects.iter().zip(&half.contents) {
        if again.0.contains(id) {
            opened.objects.keep(RUN, *id, bytes.clone()).await.unwrap();
            state
                .object_arrived(RUN, *id, blob(*id))
                .await
                .unwrap()
                .1
                .freed
                .clear();
        }
    }
    let answer = world.answer(&messages.half_answered, NOON).await;
    assert_eq!(answer, half.as_answer());
}

#[tokio::test]
async fn a_state_of_each_version_so_far_goes_on() {
    let mut versions = 0;
    for folder in fs::read_dir(states()).unwrap().flatten() {
        if folder.path().is_dir() {
            goes_on(&folder.path()).await;
            versions += 1;
        }
    }
    let place = made_today().await;
    let today = version_of(&place);
    assert_eq!(
        versions, today,
        "`cargo xtask fixture` adds the state of version {today}"
    );
}

#[tokio::test]
async fn the_version_of_today_has_a_state() {
    let place = made_today().await;
    let folder = states().join(format!("version_{:02}", version_of(&place)));
    if std::env::var_os(WRITE).is_some() && !folder.exists() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(DUMP), dump(&place)).unwrap();
        fs::write(folder.join(FILES), files(&place)).unwrap();
    }
    assert!(
        folder.is_dir(),
        "{} is missing: `cargo xtask fixture` writes the state",
        folder.display()
    );
    goes_on(&folder).await;
}

fn version_of(place: &Place) -> usize {
    let made = Connection::open(place.database()).unwrap();
    made.pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// The database as SQL.
fn dump(place: &Place) -> String {
    let made = Connection::open(place.database()).unwrap();
    let number = |name| -> i64 {
        made.pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    };
    let mut sql = format!(
        "PRAGMA application_id = {};\nPRAGMA user_version = {};\n",
        number("application_id"),
        number("user_version")
    );
    let mut schema = made
        .prepare("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
        .unwrap();
    let mut rows = schema.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let text = |place| row.get::<_, String>(place).unwrap();
        writeln!(sql, "{};", text(2)).unwrap();
        if text(0) == "table" {
            sql += &rows_of(&made, &text(1));
        }
    }
    sql
}

fn rows_of(made: &Connection, table: &str) -> String {
    let mut sql = String::new();
    let mut all = made.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = all.column_count();
    let mut rows = all.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let values = (0..columns).map(|column| quoted(row.get_ref(column).unwrap()));
        let values: Vec<_> = values.collect();
        writeln!(sql, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
    }
    sql
}

fn quoted(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) => {
            format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''"))
        }
        ValueRef::Blob(bytes) => format!("X'{}'", hex::encode(bytes)),
    }
}

/// The files of the storage directory, by their names.
fn files(place: &Place) -> String {
    let mut lines = Vec::new();
    for shelf in ["objects", "fabs"] {
        for file in flwr_daemon::objects::files_in(&place.storage().join(shelf)).unwrap() {
            let path = file.path.strip_prefix(place.storage()).unwrap();
            let content = hex::encode(fs::read(&file.path).unwrap());
            lines.push(format!("{} {content}\n", path.display()));
        }
    }
    lines.sort();
    lines.concat()
}
