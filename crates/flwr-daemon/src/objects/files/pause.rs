//! The pause of deletions: while another process copies object files, none of them is deleted.
//!
//! The copying process holds the lock file exclusively, and each deletion holds the lock file shared.
//! The kernel releases a lock when its process dies, so that a killed copy pauses nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flwr_core::monotonic;
use rustix::fs::{FlockOperation, flock};

/// How often a copying process tries to get the lock. A deletion holds the lock for milliseconds.
const TRY: Duration = Duration::from_millis(2);

/// The lock file of a store.
#[derive(Clone, Debug)]
pub struct Pause(Arc<PathBuf>);

/// A permission to delete, until its end.
#[derive(Debug)]
pub(super) struct Permit(#[expect(dead_code, reason = "its end releases the lock")] File);

/// A pause, until its end.
#[derive(Debug)]
pub struct Paused(#[expect(dead_code, reason = "its end releases the lock")] File);

impl Pause {
    /// The pause with this lock file.
    #[must_use]
    pub fn at(lock: PathBuf) -> Self {
        Self(Arc::new(lock))
    }

    /// Waits for deletions under way, and pauses all later ones. `None`: another process pauses them
    /// for longer than `patience`. Blocks.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn begin(&self, patience: Duration) -> io::Result<Option<Paused>> {
        let lock = self.open()?;
        let deadline = monotonic::now() + patience;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Paused(lock))),
                Err(error) if error == rustix::io::Errno::WOULDBLOCK => {}
                Err(error) => return Err(error.into()),
            }
            if monotonic::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(TRY);
        }
    }

    /// `None`: nothing may be deleted now. Whoever cannot read the lock file does not know whether a
    /// copy is under way, and deletes nothing.
    pub(super) fn permit(&self) -> Option<Permit> {
        let lock = self.open().ok()?;
        let locked = flock(&lock, FlockOperation::NonBlockingLockShared);
        locked.is_ok().then_some(Permit(lock))
    }

    fn open(&self) -> io::Result<File> {
        let options = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).mode(0o600).clone()
        };
        match options().open(&*self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        match options().create_new(true).open(&*self.0) {
            Ok(made) => {
                give_to_owner_of_dir(&self.0, &made);
                Ok(made)
            }
            // The other process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options().open(&*self.0),
            Err(error) => Err(error),
        }
    }
}

/// A lock file that root makes belongs to the user of the directory, whose daemon must open the lock
/// file. Best effort: other users than root give nothing away.
fn give_to_owner_of_dir(lock: &Path, made: &File) {
    let dir = lock.parent().map(fs::metadata);
    let (Some(Ok(dir)), Ok(made)) = (dir, made.metadata()) else {
        return;
    };
    if made.uid() != dir.uid() {
        let _ = chown(lock, Some(dir.uid()), Some(dir.gid()));
    }
}
