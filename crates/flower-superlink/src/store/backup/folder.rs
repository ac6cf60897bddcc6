//! The folder of a backup: whose it is, who works in it, and which of its files count.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flwr_core::object::ObjectId;
use flwr_daemon::objects::files_in;
use flwr_security::private_files;
use rustix::fs::{FlockOperation, flock};

use super::BackupError;
use super::manifest::{FORMAT, Manifest, Unreadable};
use super::shelf::{Shelf, Tally, hash, open, remove};
use crate::store::owner;
use crate::store::sqlite::Content;
use crate::store::{FABS, OBJECTS};

/// The file that says what counts.
const MANIFEST: &str = "backup.json";
/// Locked while somebody writes or reads here.
const LOCK: &str = "lock";
/// How the name of a database file begins.
const DATABASE: &str = "state-";

/// A folder of which this process has the lock.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    _lock: Option<File>,
}

impl Folder {
    /// The folder for backups of this state, made (0700) if it is not there.
    pub(super) fn claim(dir: &Path, state: &str) -> Result<Self, BackupError> {
        private_files::create_dir(dir).map_err(BackupError::failed("create", dir))?;
        match owner::read(dir)? {
            Some(found) if found == state && was_made_for_backups(dir)? => {}
            Some(found) if found == state => return Err(BackupError::Storage(dir.to_owned())),
            Some(found) => {
                return Err(BackupError::Other {
                    dir: dir.to_owned(),
                    found,
                    wanted: state.to_owned(),
                });
            }
            None if is_empty(dir)? => owner::claim(dir, state)?,
            None => return Err(BackupError::NotABackup(dir.to_owned())),
        }
        let path = dir.join(LOCK);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(BackupError::failed("open", &path))?;
        Self::lock(dir, lock, FlockOperation::NonBlockingLockExclusive)
    }

    /// A folder to restore from. The folder may be read-only, or a copy without the lock file.
    pub(super) fn read(dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(LOCK);
        match open(&path) {
            Ok(lock) => Self::lock(dir, lock, FlockOperation::NonBlockingLockShared),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self {
                dir: dir.to_owned(),
                _lock: None,
            }),
            Err(error) => Err(BackupError::failed("open", &path)(error)),
        }
    }

    fn lock(dir: &Path, lock: File, operation: FlockOperation) -> Result<Self, BackupError> {
        let dir = dir.to_owned();
        match flock(&lock, operation) {
            Ok(()) => Ok(Self {
                dir,
                _lock: Some(lock),
            }),
            Err(_) => Err(BackupError::InUse(dir)),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What counts here. `None`: no backup was finished in this folder.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, BackupError> {
        let path = self.file(MANIFEST);
        let json = match open(&path).and_then(io::read_to_string) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BackupError::failed("read", &path)(error)),
        };
        match Manifest::from_json(json.as_bytes()) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(Unreadable::Damaged) => Err(self.damaged(path, "is not as it was written")),
            Err(Unreadable::Newer(found, made_by)) => Err(BackupError::Newer {
                dir: self.dir.clone(),
                found,
                known: FORMAT,
                made_by,
            }),
        }
    }

    pub(super) fn damaged(&self, file: PathBuf, what: &'static str) -> BackupError {
        BackupError::Damaged {
            dir: self.dir.clone(),
            file,
            what,
        }
    }

    /// Makes these files the backup, in one step.
    pub(super) fn put(&self, manifest: &Manifest) -> Result<(), BackupError> {
        let path = self.file(MANIFEST);
        let json = manifest.to_json().map_err(io::Error::from);
        let written = json
            .and_then(|json| private_files::replace(&path, |file| file.write_all(&json)))
            .and_then(|()| private_files::sync_dir(&self.dir));
        written.map_err(BackupError::failed("write", &path))
    }

    /// The shelves, each with the objects that the database counts on.
    pub(super) const fn shelves(content: &Content) -> [(&'static str, &Vec<ObjectId>); 2] {
        [(OBJECTS, &content.objects), (FABS, &content.fabs)]
    }

    pub(super) fn shelf<'a>(
        &self,
        name: &str,
        tally: &'a mut Tally,
    ) -> Result<Shelf<'a>, BackupError> {
        Shelf::open(self.file(name), tally)
    }

    /// Removes what only an earlier backup needed, or what a killed one has left. Best effort: the next
    /// backup tries again.
    pub(super) fn tidy(&self, manifest: &Manifest, content: &Content) {
        for (name, wanted) in Self::shelves(content) {
            for file in files_in(&self.file(name)).into_iter().flatten() {
                let is_wanted = file.id.is_some_and(|id| wanted.binary_search(&id).is_ok());
                if !is_wanted {
                    let _ = fs::remove_file(&file.path);
                }
            }
        }
        let kept = manifest.database();
        for file in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = file.file_name();
            let name = name.to_string_lossy();
            let is_unfinished = name.starts_with(&format!("{MANIFEST}."));
            let is_database = name.starts_with(DATABASE);
            if is_unfinished || (is_database && name != kept) {
                let _ = fs::remove_file(file.path());
            }
        }
    }
}

/// Whether a folder of this state is one of backups. The storage directory of a SuperLink says the same
/// state, and its objects are not to be tidied away.
fn was_made_for_backups(dir: &Path) -> Result<bool, BackupError> {
    let has = |name: &str| {
        let found = dir.join(name).try_exists();
        found.map_err(BackupError::failed("read", dir))
    };
    Ok(has(LOCK)? || has(MANIFEST)? || !(has(OBJECTS)? || has(FABS)?))
}

/// Whether a file or folder, which need not be there yet, is a folder or in it. Links are followed.
pub(super) fn is_within(path: &Path, outer: &Path) -> bool {
    let Ok(outer) = outer.canonicalize() else {
        return false;
    };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute
        .ancestors()
        .find_map(|part| part.canonicalize().ok());
    there.is_some_and(|there| there.starts_with(&outer))
}

/// Whether nothing is in a folder but what a backup leaves that was killed at its very start.
fn is_empty(dir: &Path) -> Result<bool, BackupError> {
    let files = fs::read_dir(dir).map_err(BackupError::failed("read", dir))?;
    let is_ours = |name: &str| name == LOCK || name.starts_with("owner.");
    Ok(files
        .flatten()
        .all(|file| file.file_name().to_str().is_some_and(is_ours)))
}

/// The SHA-256 of a file, as text.
pub(super) fn sha256(path: &Path) -> Result<String, BackupError> {
    let hashed = open(path).and_then(|mut file| hash(&mut file));
    let (id, _) = hashed.map_err(BackupError::failed("read", path))?;
    Ok(id.to_string())
}

/// Removes a file that is half made, and what SQLite has written beside it.
pub(super) fn remove_database(path: &Path) -> io::Result<()> {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(ending);
        remove(Path::new(&path))?;
    }
    Ok(())
}
