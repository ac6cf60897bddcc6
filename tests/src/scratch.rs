//! The folder of one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::leftovers;

/// A temporary folder that stays when the test fails. Processes that belong to it end with it.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
}

impl Scratch {
    /// A new, empty folder.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("flower-e2e-")
            .tempdir()
            .unwrap();
        Self { dir }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A folder in it, made if it is not there.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A file in it with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        leftovers::end(self.path());
        if thread::panicking() {
            self.dir.disable_cleanup(true);
            announce(self.path());
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the test's own output, shown when it fails"
)]
fn announce(path: &Path) {
    eprintln!("what the programs wrote is kept in {}", path.display());
}
