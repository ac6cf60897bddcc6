//! Random histories, each backend beside a model that is too plain to be wrong.
//!
//! A history is a list of operations on a run, two nodes and a few messages that share objects;
//! among them crashes, after which a state in a file is opened again as it was on disk in that
//! moment. After each operation the answer must be the model's, and what is kept must be what the
//! model needs. `PROPTEST_CASES` multiplies the histories; a history that fails is shrunk and
//! printed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use flwr_core::time::Timestamp;
use flwr_postgres::Server;
use flwr_security::key::PublicKey;
use proptest::test_runner::Config;
use tempfile::TempDir;

use super::battery::world::{NOON, World, key};
use super::import::tests::move_rows;
use super::postgres::tests::audit::audit;
use super::postgres::tests::server::{self, each_time_it_has_committed};
use super::{MemoryState, PostgresState, PostgresUrl, SqliteState};

mod history;
mod life;
mod lives;
mod metrics;
mod ops;
mod overlap;
mod reference;

use history::History;

/// Nodes, and instructions for each.
const NODES: usize = 2;
const MESSAGES: usize = 6;
/// Steps of a history between two audits of a database.
const AUDIT_EVERY: usize = 4;

static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| (0..NODES).map(|_| key()).collect());

/// A backend under test.
struct Tested {
    world: World,
    place: Place,
}

/// Where a state is kept.
enum Place {
    Nowhere,
    /// The folder goes with the state.
    File(TempDir, PathBuf),
    /// The same, before the state is moved to a database.
    Leaving(TempDir, PathBuf),
    Database(PostgresUrl),
}

impl Tested {
    fn memory() -> Self {
        Self {
            world: World::new(Arc::new(MemoryState::default())),
            place: Place::Nowhere,
        }
    }

    fn sqlite(now: Timestamp) -> Self {
        let dir = scratch();
        let file = dir.path().join("state.db");
        let state = SqliteState::open(&file, now).unwrap();
        Self {
            world: World::new(Arc::new(state)),
            place: Place::File(dir, file),
        }
    }

    /// A state in a file that a crash moves to a database.
    fn leaving(now: Timestamp) -> Self {
        let tested = Self::sqlite(now);
        let Place::File(dir, file) = tested.place else {
            unreachable!("the state is in a file");
        };
        Self {
            world: tested.world,
            place: Place::Leaving(dir, file),
        }
    }

    async fn postgres(now: Timestamp) -> Self {
        let address = server::place(Server::of_this_process()).await;
        let state = PostgresState::open(&address, now).await.unwrap();
        Self {
            world: World::new(Arc::new(state)),
            place: Place::Database(address),
        }
    }

    /// Recomputes what the rows of a database say of each other.
    async fn audit(&self) {
        if let Place::Database(address) = &self.place {
            audit(address).await;
        }
    }

    /// As after `kill -9` and a restart: what is on disk now is all that is left.
    async fn crash(&mut self, now: Timestamp) {
        match &self.place {
            Place::Nowhere => {}
            Place::Leaving(_dir, file) => {
                let (_dir, copy) = as_on_disk(file);
                let address = server::place(Server::of_this_process()).await;
                move_rows(&copy, &address).await;
                let state = PostgresState::open(&address, now).await.unwrap();
                self.world = World::new(Arc::new(state));
                self.place = Place::Database(address);
            }
            Place::File(_dir, file) => {
                let (dir, copy) = as_on_disk(file);
                let state = SqliteState::open(&copy, now).unwrap();
                self.world = World::new(Arc::new(state));
                self.place = Place::File(dir, copy);
            }
            Place::Database(address) => {
                // The sessions end with the connections.
                self.world = World::new(Arc::new(MemoryState::default()));
                let state = PostgresState::open(address, now).await.unwrap();
                self.world = World::new(Arc::new(state));
            }
        }
    }
}

/// A copy of a file as it is on disk in this moment.
fn as_on_disk(file: &Path) -> (TempDir, PathBuf) {
    let dir = scratch();
    let copy = dir.path().join("state.db");
    for ending in ["", "-wal"] {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        // There may be nothing written ahead.
        let _ = std::fs::copy(name(file), name(&copy));
    }
    (dir, copy)
}

/// Where syncing costs nothing, if there is such a place.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn check(cases: u32, new: impl AsyncFn() -> Tested) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let multiplied = std::env::var("PROPTEST_CASES").ok();
    let factor: u32 = multiplied.and_then(|text| text.parse().ok()).unwrap_or(1);
    let config = Config {
        cases: cases * factor,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&ops::history(), |ops| {
        runtime.block_on(async {
            let mut history = History::new(new().await).await;
            for (number, op) in ops.iter().enumerate() {
                history.step(op).await?;
                if number % AUDIT_EVERY == 0 {
                    history.tested.audit().await;
                }
            }
            history.tested.audit().await;
            history.end().await
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn memory_does_what_the_model_does() {
    check(400, async || Tested::memory());
}

#[test]
fn sqlite_does_what_the_model_does_also_after_crashes() {
    check(60, async || Tested::sqlite(NOON));
}

#[test]
fn postgres_does_what_the_model_does_also_after_crashes() {
    check(12, async || Tested::postgres(NOON).await);
}

#[test]
fn a_history_goes_on_when_its_file_was_moved_to_a_database() {
    check(30, async || Tested::leaving(NOON));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn in_memory_nothing_is_lost_or_doubled_when_histories_overlap() {
    for seed in 0..20 {
        overlap::play(Arc::new(MemoryState::default()), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn in_sqlite_nothing_is_lost_or_doubled_when_histories_overlap() {
    for seed in 0..5 {
        overlap::play(Tested::sqlite(NOON).world.state, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn in_postgres_nothing_is_lost_or_doubled_when_connections_are_lost() {
    let server = Server::of_this_process();
    for seed in 0..3 {
        let tested = Tested::postgres(NOON).await;
        let Place::Database(address) = &tested.place else {
            unreachable!("the state is in a database");
        };
        let history = overlap::play(Arc::clone(&tested.world.state), seed);
        let cut = async |acts: &_| {
            let act = async || server::cut(server, address).await;
            each_time_it_has_committed(10, address, acts, act).await;
        };
        assert!(until(history, cut).await > 2);
        tested.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn in_postgres_nothing_is_lost_or_doubled_when_the_server_is_killed() {
    let server = Server::start();
    let address = server::place(&server).await;
    let state = PostgresState::open(&address, NOON).await.unwrap();
    let history = overlap::play(Arc::new(state), 7);
    let kill = async |acts: &_| {
        let act = async || server.kill();
        each_time_it_has_committed(25, &address, acts, act).await;
    };
    assert!(until(history, kill).await > 0);
    audit(&address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn over_three_superlinks_nothing_is_lost_or_doubled_when_connections_are_lost() {
    let server = Server::of_this_process();
    for seed in 0..3 {
        let address = server::place(server).await;
        let states = server::beside_each_other(&address, 3).await;
        let history = overlap::play_at(&states, seed);
        let cut = async |acts: &_| {
            let act = async || server::cut(server, &address).await;
            each_time_it_has_committed(10, &address, acts, act).await;
        };
        assert!(until(history, cut).await > 2);
        audit(&address).await;
    }
}

/// Plays a history with a saboteur beside it, who notes how often it did something.
async fn until(
    history: impl Future<Output = ()>,
    saboteur: impl AsyncFnOnce(&std::cell::Cell<usize>),
) -> usize {
    let acts = std::cell::Cell::new(0);
    tokio::select! {
        () = history => {}
        () = saboteur(&acts) => unreachable!("a saboteur never ends"),
    }
    acts.get()
}
