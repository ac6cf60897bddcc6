//! Files and directories that only their owner may read: models, replies and state are private.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub use flwr_security::file::create_private_dir as create_dir;

/// Temporary files carry this ending.
pub const TEMPORARY: &str = "tmp";

/// Writes a file (0600) that is on disk when this returns. It blocks.
///
/// # Errors
/// What the system says; half a file may be there then.
pub fn write(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    content(&mut file)?;
    file.sync_all()
}

/// Writes a file (0600) that is whole, and on disk, from the moment it has its name. It blocks.
///
/// # Errors
/// What the system says; what was there before still is.
pub fn replace(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension(TEMPORARY);
    let written = write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_dir(path.parent().unwrap_or(path)));
    written.inspect_err(|_| {
        // Best effort: half a file must not take what little space there is.
        let _ = fs::remove_file(&temporary);
    })
}

/// Names given and taken in this directory are on disk when this returns. It blocks.
///
/// # Errors
/// What the system says.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
