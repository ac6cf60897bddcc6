//! A directory that is written whole, or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes these files, by their paths in it, beside the place of the directory, and moves it there.
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
        // What there is of it is of no use; the error tells about the rest.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written
}
