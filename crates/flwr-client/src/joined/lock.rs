//! One process at a time joins, or renews a key.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flwr_security::private_files;

use super::MemoryError;

/// The right to change an enrolment or a key. It ends when the value is dropped, or with the process.
///
/// The file stays: a process that removed the file would let two others lock two files of one name.
#[derive(Debug)]
#[must_use = "the lock ends when it is dropped"]
pub struct Held {
    _file: File,
}

impl Held {
    /// Takes the lock of this file, which is made if it is not there. Does not wait.
    ///
    /// # Errors
    /// If another holds the lock, or the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, MemoryError> {
        let failed = |source| MemoryError::Write {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            // Some network file systems have no locks. A node there can join all the same.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Self { _file: file })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
            Err(TryLockError::WouldBlock) => {
                let dir = private_files::dir_of(path);
                Err(MemoryError::Busy(dir.to_owned()))
            }
        }
    }
}
