//! What a killed SuperLink leaves in a directory beside whole files. The library writes a file as
//! `NAME#1` and then renames it; it lists no such files.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use flwr_daemon::objects::Error;
use tokio::task::spawn_blocking;

use super::NAMES;
use super::shelf::Shelf;

impl Shelf {
    /// Files that were not finished, of the starts of SuperLinks for which this is said. A bucket has
    /// none.
    pub(in crate::store) async fn unfinished(
        &self,
        is_asked: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<PathBuf>, Error> {
        let find = move |names: &Path| {
            let runs = starts(names, is_asked)
                .into_iter()
                .flat_map(|run| entries(&run));
            let files = runs.flat_map(|run| entries(&run));
            files.filter(|file| is_unfinished(file)).collect()
        };
        self.in_files(find).await
    }

    /// Removes files. Those that are gone are no error.
    pub(in crate::store) async fn remove(&self, files: Vec<PathBuf>) -> Result<(), Error> {
        let remove = move |_: &Path| {
            let failed = |path: &Path, source| Error::Failed {
                action: "delete",
                path: path.display().to_string(),
                source,
            };
            let there = files.iter().filter(|file| file.exists());
            let mut removed =
                there.map(|file| fs::remove_file(file).map_err(|source| failed(file, source)));
            removed.find_map(Result::err)
        };
        self.in_files(remove).await?.map_or(Ok(()), Err)
    }

    /// Removes the empty folders of the starts for which this is said.
    pub(super) async fn remove_empty(
        &self,
        is_asked: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        let remove = move |names: &Path| {
            for start in starts(names, is_asked) {
                // The system refuses to remove a folder that holds something.
                for run in entries(&start) {
                    let _ = fs::remove_dir(run);
                }
                let _ = fs::remove_dir(start);
            }
        };
        self.in_files(remove).await
    }

    /// Does something with the folder of all names, on a thread that may block.
    async fn in_files<T: Default + Send + 'static>(
        &self,
        act: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let Some(dir) = self.directory() else {
            return Ok(T::default());
        };
        let names = dir.join(NAMES);
        let shown = names.display().to_string();
        let done = spawn_blocking(move || act(&names)).await;
        done.map_err(|ended| Error::Failed {
            action: "read",
            path: shown,
            source: std::io::Error::other(ended),
        })
    }
}

/// The folders of the starts for which this is said.
fn starts(names: &Path, is_asked: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut starts = entries(names);
    starts.retain(|start| {
        start
            .file_name()
            .and_then(OsStr::to_str)
            .is_some_and(&is_asked)
    });
    starts
}

/// What is in a folder; nothing, if it is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry: DirEntry| entry.path()).collect()
}

fn is_unfinished(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str);
    let number = name.and_then(|name| name.split_once('#'));
    number.is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}
