//! `--restore`: from a folder to an empty place. Everything is verified beside that place before the
//! first file is put there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flwr_security::private_files;

use super::folder::{self, Folder, is_within};
use super::manifest::Manifest;
use super::shelf::{Shelf, Tally, open, remove};
use super::{BackupError, Saved};
use crate::store::owner;
use crate::store::place::Places;
use crate::store::sqlite::{self, Content, beside};

/// In the storage directory from before it has its name until the database has its name.
const MARK: &str = "restoring";
/// How the names of what is not verified yet end.
const STAGED: &str = "restoring";

impl Places {
    /// Puts the backup in `dir` to these places, where nothing may be. Blocks.
    ///
    /// # Errors
    /// Something is there, a SuperLink works there, the backup is damaged, or the system refuses.
    /// Nothing is put in place then.
    pub fn restore(&self, dir: &Path) -> Result<Saved, BackupError> {
        let (database, storage) = self.files()?;
        for (place, flag) in [(database, "--database"), (storage, "--storage-dir")] {
            if is_within(place, dir) {
                return Err(BackupError::IntoItself {
                    dir: dir.to_owned(),
                    flag,
                });
            }
        }
        let folder = Folder::read(dir)?;
        let manifest = folder.manifest()?;
        let manifest = manifest.ok_or_else(|| BackupError::NoBackup(dir.to_owned()))?;
        let _hold = sqlite::hold(database)?;
        refuse_occupied(database, storage)?;
        let stage = Stage::clear(database, storage)?;
        let content = stage.database(&folder, &manifest)?;
        let files = stage.objects(&folder, &manifest, &content)?;
        stage.put_in_place(database, storage)?;
        Ok(Saved {
            schema: content.schema,
            runs: content.runs,
            files,
            missing: manifest.missing,
            made_at: manifest.made_at,
            paused: Duration::ZERO,
        })
    }
}

fn refuse_occupied(database: &Path, storage: &Path) -> Result<(), BackupError> {
    let occupied = |path: PathBuf, flag| Err(BackupError::Occupied { path, flag });
    // SQLite would take the rest of another database for a part of the restored one.
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(ending);
        let path = PathBuf::from(path);
        if fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
            return occupied(path, "--database");
        }
    }
    let is_rest = storage.join(MARK).exists();
    match fs::read_dir(storage) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::failed("read", storage)(error)),
        Ok(mut files) => match is_rest || files.next().is_none() {
            true => Ok(()),
            false => occupied(storage.to_owned(), "--storage-dir"),
        },
    }
}

/// The restored files beside their place. What is not put in place is removed.
struct Stage {
    database: PathBuf,
    storage: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Best effort: the next restore removes the rest.
        let _ = self.remove();
    }
}

impl Stage {
    /// A stage without what a killed restore has left.
    fn clear(database: &Path, storage: &Path) -> Result<Self, BackupError> {
        let stage = Self {
            database: beside(database, STAGED),
            storage: beside(storage, STAGED),
        };
        let cleared = stage.remove();
        cleared.map_err(BackupError::failed("remove", &stage.storage))?;
        let created = private_files::create_dir(&stage.storage);
        created.map_err(BackupError::failed("create", &stage.storage))?;
        Ok(stage)
    }

    fn remove(&self) -> io::Result<()> {
        folder::remove_database(&self.database)?;
        match fs::remove_dir_all(&self.storage) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn database(&self, folder: &Folder, manifest: &Manifest) -> Result<Content, BackupError> {
        let from = folder.file(&manifest.database());
        let mut source = match open(&from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(folder.damaged(from, "is missing"));
            }
            opened => opened.map_err(BackupError::failed("read", &from))?,
        };
        let written =
            private_files::write(&self.database, |to| io::copy(&mut source, to).map(drop));
        written.map_err(BackupError::failed("write", &self.database))?;
        // What was written is hashed: that counts from now on.
        if folder::sha256(&self.database)? != manifest.database_sha256 {
            return Err(folder.damaged(from, "has other bytes than were saved"));
        }
        let content = Content::read(&self.database)?;
        match content.state == manifest.state {
            true => Ok(content),
            false => Err(folder.damaged(from, "is of another state")),
        }
    }

    fn objects(
        &self,
        folder: &Folder,
        manifest: &Manifest,
        content: &Content,
    ) -> Result<Tally, BackupError> {
        let mut files = Tally::default();
        for (name, wanted) in Folder::shelves(content) {
            let from = folder.file(name);
            let mut shelf = Shelf::open(self.storage.join(name), &mut files)?;
            for id in wanted {
                if !shelf.take(&from, id)? && !manifest.missing.contains(&id.to_string()) {
                    let path = flwr_daemon::objects::path_in(&from, id);
                    let what = match path.exists() {
                        true => "has other bytes than were saved",
                        false => "is missing",
                    };
                    return Err(folder.damaged(path, what));
                }
            }
            shelf.sync()?;
        }
        owner::claim(&self.storage, &content.state)?;
        let mark = self.storage.join(MARK);
        let marked =
            private_files::write(&mark, |file| file.write_all(b"a restore is under way\n"));
        marked
            .and_then(|()| private_files::sync_dir(&self.storage))
            .map_err(BackupError::failed("write", &mark))?;
        Ok(files)
    }

    /// The database comes last: without it there is no state, and the restore can begin again.
    fn put_in_place(&self, database: &Path, storage: &Path) -> Result<(), BackupError> {
        let dir = private_files::dir_of(storage);
        // The rest of a restore that was killed between the two names.
        let cleared = match storage.join(MARK).exists() {
            true => fs::remove_dir_all(storage),
            false => Ok(()),
        };
        cleared
            .and_then(|()| fs::rename(&self.storage, storage))
            .and_then(|()| private_files::sync_dir(dir))
            .map_err(BackupError::failed("write", storage))?;
        fs::rename(&self.database, database)
            .and_then(|()| private_files::sync_dir(private_files::dir_of(database)))
            .map_err(BackupError::failed("write", database))?;
        let mark = storage.join(MARK);
        remove(&mark).map_err(BackupError::failed("remove", &mark))
    }
}
