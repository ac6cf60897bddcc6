//! `--backup`: the state of this moment into a folder, also while its SuperLink serves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flwr_core::monotonic;
use flwr_core::object::ObjectId;
use flwr_core::time::Timestamp;
use flwr_security::private_files;

use super::folder::{self, Folder, is_within};
use super::manifest::{FORMAT, Manifest, database_name};
use super::shelf::Tally;
use super::{BackupError, Saved};
use crate::store::open::pause_of;
use crate::store::place::Places;
use crate::store::sqlite::{self, Content};

/// How long a backup waits for deletions under way, and for another backup of the same database.
const PATIENCE: Duration = Duration::from_secs(30);

impl Places {
    /// Saves state, objects and FABs of this moment in `dir`. With `incremental`, files that the last
    /// backup in `dir` has are kept; without, all are taken and verified anew. Blocks.
    ///
    /// # Errors
    /// Nothing is there to be saved, the folder is of another SuperLink or has other files, or the
    /// system refuses. The last backup is whole then.
    pub fn back_up(
        &self,
        dir: &Path,
        incremental: bool,
        now: Timestamp,
    ) -> Result<Saved, BackupError> {
        let (database, storage) = self.files()?;
        if !sqlite::exists(database)? {
            return Err(BackupError::NoDatabase(database.to_owned()));
        }
        if is_within(dir, storage) {
            return Err(BackupError::Storage(dir.to_owned()));
        }
        let folder = Folder::claim(dir, &sqlite::state_of(database)?)?;
        let last = last(&folder, incremental)?;
        let pause = pause_of(database);
        let pause = pause
            .begin(PATIENCE)
            .map_err(BackupError::failed("lock", database))?;
        let paused = pause.ok_or_else(|| BackupError::UnderWay(database.to_owned()))?;
        let since = monotonic::now();
        let number = last.as_ref().map_or(0, |last| last.number) + 1;
        let content = copy_database(&folder, database, number)?;
        let mut take = Take {
            folder: &folder,
            storage,
            keep: incremental && last.is_some(),
            files: Tally::default(),
            missing: Vec::new(),
        };
        for (name, wanted) in Folder::shelves(&content) {
            take.shelf(name, wanted)?;
        }
        let Take { files, missing, .. } = take;
        drop(paused);
        let paused = since.elapsed();
        let manifest = Manifest {
            format: FORMAT,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: now.iso8601(),
            state: content.state.clone(),
            schema: content.schema,
            number,
            database_sha256: folder::sha256(&folder.file(&database_name(number)))?,
            missing,
        };
        folder.put(&manifest)?;
        folder.tidy(&manifest, &content);
        Ok(Saved {
            schema: content.schema,
            runs: content.runs,
            files,
            missing: manifest.missing,
            made_at: manifest.made_at,
            paused,
        })
    }
}

/// The last backup of this folder. A whole new one needs nothing of a damaged one.
fn last(folder: &Folder, incremental: bool) -> Result<Option<Manifest>, BackupError> {
    match folder.manifest() {
        Err(BackupError::Damaged { .. }) if !incremental => Ok(None),
        Err(BackupError::Damaged { dir, file, what }) => {
            Err(BackupError::NothingToAddTo { dir, file, what })
        }
        found => found,
    }
}

/// The database under its final name, which no backup counts on before.
fn copy_database(folder: &Folder, database: &Path, number: u64) -> Result<Content, BackupError> {
    let to = folder.file(&database_name(number));
    let part = folder.file(&format!("{}.tmp", database_name(number)));
    let failed = || BackupError::failed("write", &to);
    folder::remove_database(&part).map_err(failed())?;
    let content = sqlite::copy(database, &part)
        .map_err(BackupError::of_copy(&to))
        .and_then(|()| Ok(Content::read(&part)?));
    // Half a copy takes space that is missing.
    let content = content.inspect_err(|_| drop(folder::remove_database(&part)))?;
    fs::rename(&part, &to)
        .and_then(|()| private_files::sync_dir(folder.dir()))
        .map_err(failed())?;
    Ok(content)
}

/// The objects and FABs of a database on their way into the folder.
struct Take<'a> {
    folder: &'a Folder,
    storage: &'a Path,
    /// Whether what is in the folder stays.
    keep: bool,
    files: Tally,
    missing: Vec<String>,
}

impl Take<'_> {
    fn shelf(&mut self, name: &str, wanted: &[ObjectId]) -> Result<(), BackupError> {
        let from = self.storage.join(name);
        let mut shelf = self.folder.shelf(name, &mut self.files)?;
        for id in wanted {
            if self.keep && shelf.keep(id) || shelf.take(&from, id)? {
                continue;
            }
            // The SuperLink has lost the object. The last backup may have it.
            if !(shelf.has(id) && shelf.keep(id)) {
                self.missing.push(id.to_string());
            }
        }
        shelf.sync()
    }
}
