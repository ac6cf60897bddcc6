//! Objects on their way between a storage directory and a backup: linked where both are on one file
//! system, copied elsewhere, and verified by their hash in both cases.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flwr_core::object::ObjectId;
use flwr_daemon::objects::path_in;
use flwr_security::private_files::{self, TEMPORARY};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::BackupError;

/// Bytes that are read at once.
const BUFFER: usize = 1 << 20;

/// How files came to their place.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Files that share their bytes with the original.
    pub linked: usize,
    /// Files with bytes of their own.
    pub copied: usize,
    /// Files that were in the backup before.
    pub kept: usize,
    /// The bytes of all files.
    pub bytes: u64,
}

/// How one file came to its place, with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Linked(u64),
    Copied(u64),
}

/// A folder of objects that is filled.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    dir: PathBuf,
    tally: &'a mut Tally,
    /// Folders with new names.
    touched: BTreeSet<PathBuf>,
}

impl<'a> Shelf<'a> {
    /// Makes the folder (0700) if it is not there.
    pub(super) fn open(dir: PathBuf, tally: &'a mut Tally) -> Result<Self, BackupError> {
        private_files::create_dir(&dir).map_err(BackupError::failed("create", &dir))?;
        let touched = BTreeSet::new();
        Ok(Self {
            dir,
            tally,
            touched,
        })
    }

    /// Whether the object is there already, which counts as kept then. The object was verified when
    /// it was put there.
    pub(super) fn keep(&mut self, id: &ObjectId) -> bool {
        let found = fs::metadata(path_in(&self.dir, id));
        if let Ok(found) = &found {
            self.tally.kept += 1;
            self.tally.bytes += found.len();
        }
        found.is_ok()
    }

    /// Takes the object from the folder of another place. False: the object is lost or damaged there.
    pub(super) fn take(&mut self, from: &Path, id: &ObjectId) -> Result<bool, BackupError> {
        let (from, to) = (path_in(from, id), path_in(&self.dir, id));
        let dir = private_files::dir_of(&to).to_owned();
        private_files::create_dir(&dir).map_err(BackupError::failed("create", &dir))?;
        let Some(taken) = take(&from, &to, id)? else {
            return Ok(false);
        };
        self.touched.insert(dir);
        match taken {
            Taken::Linked(bytes) => {
                self.tally.linked += 1;
                self.tally.bytes += bytes;
            }
            Taken::Copied(bytes) => {
                self.tally.copied += 1;
                self.tally.bytes += bytes;
            }
        }
        Ok(true)
    }

    /// Whether the object is there, with the bytes that its name stands for.
    pub(super) fn has(&self, id: &ObjectId) -> bool {
        let hashed = open(&path_in(&self.dir, id)).and_then(|mut file| hash(&mut file));
        hashed.is_ok_and(|(found, _)| found == *id)
    }

    /// Brings all new names to disk.
    pub(super) fn sync(self) -> Result<(), BackupError> {
        for dir in self.touched {
            private_files::sync_dir(&dir).map_err(BackupError::failed("write", &dir))?;
        }
        Ok(())
    }
}

/// Puts a verified object at `to`, in one step. `None`: it is lost or damaged at `from`.
fn take(from: &Path, to: &Path, id: &ObjectId) -> Result<Option<Taken>, BackupError> {
    let part = to.with_extension(TEMPORARY);
    let failed = || BackupError::failed("write", to);
    remove(&part).map_err(failed())?;
    let taken = match fs::hard_link(from, &part) {
        Ok(()) => {
            let hashed = open(&part).and_then(|mut file| hash(&mut file));
            let linked = hashed.ok().filter(|(found, _)| found == id);
            linked.map(|(_, bytes)| Taken::Linked(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // Another file system, or one without links; or a file of another user.
        Err(_) => copy(from, &part, id)
            .inspect_err(|_| drop(fs::remove_file(&part)))
            .map_err(failed())?
            .map(Taken::Copied),
    };
    if taken.is_none() {
        remove(&part).map_err(failed())?;
        return Ok(None);
    }
    if is_same(&part, to) {
        // A rename between two names of one file does nothing.
        remove(&part).map_err(failed())?;
    } else {
        fs::rename(&part, to).map_err(failed())?;
    }
    Ok(taken)
}

/// Copies and hashes at the same time. `None`: `from` cannot be read, or has other bytes. An error is
/// one of `to`.
fn copy(from: &Path, to: &Path, id: &ObjectId) -> io::Result<Option<u64>> {
    let Ok(mut source) = open(from) else {
        return Ok(None);
    };
    let (mut digest, mut bytes, mut is_read) = (Sha256::new(), 0, true);
    private_files::write(to, |target| {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => {
                    is_read = false;
                    return Ok(());
                }
            };
            digest.update(&buffer[..read]);
            target.write_all(&buffer[..read])?;
            bytes += read as u64;
        }
    })?;
    let found = ObjectId::from_bytes(digest.finalize().into());
    Ok((is_read && found == *id).then_some(bytes))
}

/// Opens a file to read. A pipe would have the reader wait for ever.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.read(true).custom_flags(nonblocking).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "is no file")),
    }
}

/// The id that bytes stand for, and their number.
pub(super) fn hash(source: &mut impl Read) -> io::Result<(ObjectId, u64)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                digest.update(&buffer[..read]);
                bytes += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((ObjectId::from_bytes(digest.finalize().into()), bytes))
}

/// Whether two names stand for one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
