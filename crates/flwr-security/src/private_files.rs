//! Private files: keys, state, models and replies. Directories get mode 0700 and files mode 0600,
//! unless the caller gives another mode. All functions block.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

mod folder;

pub use folder::{Distrust, Folder};

/// The extension of temporary files.
pub const TEMPORARY: &str = "tmp";

/// Whether users other than the owner can use this file.
#[must_use]
pub fn is_exposed(path: &Path) -> bool {
    let of_others = match is_credential(path) {
        true => 0o007,
        false => 0o077,
    };
    fs::metadata(path).is_ok_and(|file| file.permissions().mode() & of_others != 0)
}

/// Whether systemd keeps the file for this service (`LoadCredential=`), in a folder that nobody else enters.
/// The file has an ACL for the service's user, which shows as rights of the group.
fn is_credential(path: &Path) -> bool {
    let folder = env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    folder.is_some_and(|folder| path.starts_with(folder))
}

/// The warning about a secret that users other than its owner can read, with the way out.
#[must_use]
pub fn exposed(path: &Path) -> Option<String> {
    let path_shown = path.display();
    is_exposed(path).then(|| {
        format!("{path_shown} can be read by others than its owner: chmod 600 {path_shown}")
    })
}

/// Creates a directory (0700) and its missing parents, and syncs each new name to disk: files that
/// are synced in a directory are lost with the name of the directory.
///
/// # Errors
/// If the system refuses.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir_of(dir);
    create_dir(parent)?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made?,
    }
    match sync_dir(parent) {
        // A directory in which we may write, and which we may not read, cannot be synced.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
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
/// If the system refuses. The old file is then unchanged, unless only the sync of the directory
/// failed.
pub fn replace(path: &Path, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    replace_by(path, 0o600, content)
}

/// As [`replace`], with another mode. The file has the mode from its creation on, so that a key is
/// never readable for others.
///
/// # Errors
/// As [`replace`].
pub fn replace_with_mode(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    replace_by(path, mode, |file| file.write_all(content))
}

/// As [`replace`], with the mode that files of others have (0666 and the umask).
///
/// # Errors
/// As [`replace`].
pub fn replace_with(
    path: &Path,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    replace_by(path, 0o666, content)
}

/// Syncs the names in a directory to disk, after a file was created, renamed or removed in it.
///
/// # Errors
/// If the system refuses.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Two processes may replace the same file at once: each has a temporary file of its own.
fn replace_by(
    path: &Path,
    mode: u32,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.{TEMPORARY}", std::process::id()));
    let temporary = Path::new(&temporary);
    let written = create(temporary, mode)
        .and_then(|mut file| {
            content(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(temporary, path));
    if let Err(error) = written {
        // Best effort: half a file must not take what little space there is.
        let _ = fs::remove_file(temporary);
        return Err(error);
    }
    sync_dir(dir_of(path))
}

/// The directory of a file. The parent of a bare name is an empty path.
#[must_use]
pub fn dir_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Creates a file that does not exist. A file of this name is a rest of a crashed process that had
/// the same process id.
fn create(path: &Path, mode: u32) -> io::Result<File> {
    // An error shows at the creation.
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let files = fs::read_dir(dir).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_over_the_rest_of_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let rest = dir.path().join(format!("key.{}.tmp", std::process::id()));
        fs::write(&rest, "half").unwrap();
        for (mode, content) in [(0o600, "first"), (0o644, "second")] {
            replace_with_mode(&path, mode, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode);
        }
        assert_eq!(names(dir.path()), ["key"]);
    }

    #[test]
    fn a_secret_that_others_can_read_is_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert_eq!(exposed(&path), None);
        for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            replace_with_mode(&path, mode, b"secret").unwrap();
            assert_eq!(exposed(&path).is_some(), is_warned, "{mode:o}");
        }
        let told = exposed(&path).unwrap();
        assert!(
            told.ends_with(&format!("chmod 600 {}", path.display())),
            "{told}"
        );
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(dir.path()), ["state"]);
    }

    #[test]
    fn whoever_reads_a_file_that_is_replaced_reads_the_old_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        replace(&path, |file| file.write_all(b"old")).unwrap();
        let mut reader = File::open(&path).unwrap();
        replace(&path, |file| {
            file.write_all(b"ne")?;
            assert_eq!(fs::read(&path)?, b"old", "while the new one is written");
            file.write_all(b"w")
        })
        .unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "old");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn the_directory_of_a_bare_name_is_the_current_one() {
        assert_eq!(dir_of(Path::new("key")), Path::new("."));
        assert_eq!(dir_of(Path::new("keys/key")), Path::new("keys"));
    }
}
