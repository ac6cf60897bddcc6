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
use flwr_security::key::PublicKey;
use proptest::test_runner::Config;
use tempfile::TempDir;

use super::battery::world::{NOON, World, key};
use super::{MemoryState, SqliteState};

mod history;
mod life;
mod lives;
mod ops;
mod reference;

use history::History;

/// Nodes, and instructions for each.
const NODES: usize = 2;
const MESSAGES: usize = 6;

static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| (0..NODES).map(|_| key()).collect());

/// A backend under test.
struct Tested {
    world: World,
    /// Where it is kept, if it is.
    place: Option<(TempDir, PathBuf)>,
}

impl Tested {
    fn memory() -> Self {
        Self {
            world: World::new(Arc::new(MemoryState::default())),
            place: None,
        }
    }

    fn sqlite(now: Timestamp) -> Self {
        let dir = scratch();
        let file = dir.path().join("state.db");
        let state = SqliteState::open(&file, now).unwrap();
        Self {
            world: World::new(Arc::new(state)),
            place: Some((dir, file)),
        }
    }

    /// As after `kill -9` and a restart: what is on disk now is all that is left.
    fn crash(&mut self, now: Timestamp) {
        let Some((_, file)) = &self.place else {
            return;
        };
        let dir = scratch();
        let copy = dir.path().join("state.db");
        for ending in ["", "-wal"] {
            let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
            // There may be nothing written ahead.
            let _ = std::fs::copy(name(file), name(&copy));
        }
        let state = SqliteState::open(&copy, now).unwrap();
        self.world = World::new(Arc::new(state));
        self.place = Some((dir, copy));
    }
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

fn check(cases: u32, new: fn() -> Tested) {
    let runtime = tokio::runtime::Builder::new_current_thread()
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
            let mut history = History::new(new()).await;
            for op in &ops {
                history.step(op).await?;
            }
            history.end().await
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn memory_does_what_the_model_does() {
    check(400, Tested::memory);
}

#[test]
fn sqlite_does_what_the_model_does_also_after_crashes() {
    check(60, || Tested::sqlite(NOON));
}
