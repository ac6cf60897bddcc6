//! Writes a directory atomically: all its files, or nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes the files to a temporary directory beside `directory`, then renames it. File paths are
/// relative to `directory`.
pub(super) fn write(
    directory: &Path,
    files: impl IntoIterator<Item = (PathBuf, impl AsRef<[u8]>)>,
) -> io::Result<()> {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = directory.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = files
        .into_iter()
        .try_for_each(|(file, content)| {
            let path = unfinished.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&unfinished))?;
            fs::write(path, content)
        })
        .and_then(|()| fs::rename(&unfinished, directory));
    if written.is_err() {
        // Best effort: the caller gets the error of the write.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written
}
