//! Private files: keys, state, models and replies. Directories get mode 0700 and files mode 0600,
//! unless the caller gives another mode. All functions block.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The extension of temporary files.
pub const TEMPORARY: &str = "tmp";

/// Creates a directory (0700) and its missing parents.
///
/// # Errors
/// If the system refuses.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Writes a file (0600) and syncs its content to disk.
///
/// # Errors
/// If the system refuses. The file may then have a part of its content.
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

/// Replaces a file (0600) by an atomic rename, and syncs the file and its directory to disk.
///
/// # Errors
/// If the system refuses. The old file is then unchanged.
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

/// Replaces a file by an atomic rename. The file has the given mode from its creation on, so that
/// a key is never readable for others. Two processes may replace the same file at once.
///
/// # Errors
/// If the system refuses. The old file is then unchanged.
pub fn replace_with_mode(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.{TEMPORARY}", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = create(temporary, mode)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(temporary, path));
    if written.is_err() {
        // Best effort: the caller gets the error of the file itself.
        let _ = fs::remove_file(temporary);
    }
    written
}

/// Syncs the names in a directory to disk, after a file was created, renamed or removed in it.
///
/// # Errors
/// If the system refuses.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}
