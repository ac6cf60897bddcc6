//! Directories that are there with all their files, or not at all. All functions block.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::private_files::replace_with;

/// The age at which the rest of a killed writer is removed.
const REST: Duration = Duration::from_secs(3600);

/// What [`ensure`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the directory was written.
    Nothing,
    /// The directory. Files in `mended` were missing or written in part, and are whole now. Files in
    /// `changed` have another content than they should have, and are as they were.
    Directory {
        /// Written again.
        mended: Vec<String>,
        /// Left alone.
        changed: Vec<String>,
    },
}

/// Makes sure that `directory` has these files. A new directory gets its name by a rename, once all
/// files are in it. In a directory that is there, only what is missing is written: its files may be
/// in use, and others beside them.
///
/// # Errors
/// If the system refuses.
pub fn ensure<C: AsRef<[u8]>>(directory: &Path, files: &[(String, C)]) -> io::Result<Found> {
    if !fs::exists(directory)? {
        remove_rests(directory);
        let files = files.iter().map(|(file, content)| (file, content));
        let written = create(directory, files);
        // Unless another process was faster.
        if written.is_ok() || !fs::exists(directory)? {
            return written.map(|()| Found::Nothing);
        }
    }
    mend(directory, files)
}

/// Writes a new directory with these files, whose paths are relative to `directory`. The directory
/// gets its name by a rename, once all files are in it.
///
/// # Errors
/// If the system refuses.
pub fn create<P: AsRef<Path>, C: AsRef<[u8]>>(
    directory: &Path,
    files: impl IntoIterator<Item = (P, C)>,
) -> io::Result<()> {
    let unfinished = format!("{}{}", prefix(directory), std::process::id());
    let unfinished = directory.with_file_name(unfinished);
    let written = fs::create_dir_all(&unfinished)
        .and_then(|()| {
            files.into_iter().try_for_each(|(file, content)| {
                let path = unfinished.join(file);
                fs::create_dir_all(path.parent().unwrap_or(&unfinished))?;
                fs::write(path, content)
            })
        })
        .and_then(|()| fs::rename(&unfinished, directory));
    if written.is_err() {
        // Best effort: the caller gets the error of the write.
        let _ = fs::remove_dir_all(&unfinished);
    }
    written
}

/// How the names of unfinished directories begin.
fn prefix(directory: &Path) -> String {
    let name = directory.file_name().unwrap_or_default();
    format!(".{}.", name.to_string_lossy())
}

/// Removes what writers of this directory left that were killed. Best effort: a rest is in nobody's
/// way.
fn remove_rests(directory: &Path) {
    let prefix = prefix(directory);
    let parent = directory.parent().unwrap_or(directory);
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let rests = entries.filter(|entry| {
        let is_its = entry.file_name().to_string_lossy().starts_with(&prefix);
        let modified = entry.metadata().and_then(|about| about.modified());
        let age = modified.ok().and_then(|time| time.elapsed().ok());
        is_its && age.is_some_and(|age| age > REST)
    });
    for rest in rests {
        let _ = fs::remove_dir_all(rest.path());
    }
}

fn mend<C: AsRef<[u8]>>(directory: &Path, files: &[(String, C)]) -> io::Result<Found> {
    let (mut mended, mut changed) = (Vec::new(), Vec::new());
    for (file, content) in files {
        let (path, content) = (directory.join(file), content.as_ref());
        match fs::read(&path) {
            Ok(found) if found == content => continue,
            Ok(found) if !is_part(&found, content) => {
                changed.push(file.clone());
                continue;
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::create_dir_all(path.parent().map_or_else(PathBuf::new, Path::to_owned))?;
        replace_with(&path, |file| file.write_all(content))?;
        mended.push(file.clone());
    }
    Ok(Found::Directory { mended, changed })
}

/// Whether a writer that was cut off, or a disk that lost power, leaves this of the content: its
/// begin, and zeros where bytes were not written.
fn is_part(found: &[u8], content: &[u8]) -> bool {
    let mut bytes = found.iter().zip(content);
    found.len() <= content.len() && bytes.all(|(found, byte)| found == byte || *found == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(String, Vec<u8>)> {
        let file = |name: &str, content: &str| (name.to_owned(), content.as_bytes().to_vec());
        vec![
            file("pyproject.toml", "[project]\n"),
            file("app/client.py", "app = ClientApp()\n"),
            file("app/data/a.txt", "numbers\n"),
        ]
    }

    fn read_all(dir: &Path) -> Vec<(String, Vec<u8>)> {
        let read = |(name, _): (String, Vec<u8>)| {
            let content = fs::read(dir.join(&name)).unwrap();
            (name, content)
        };
        files().into_iter().map(read).collect()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_directory_is_written_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("apps/app.1");
        assert_eq!(ensure(&dir, &files()).unwrap(), Found::Nothing);
        assert_eq!(read_all(&dir), files());
        assert_eq!(names(dir.parent().unwrap()), ["app.1"]);

        // The disk refuses a file: a directory has its name.
        let other = home.path().join("apps/app.2");
        let mut impossible = files();
        impossible.push(("app/client.py/x".to_owned(), Vec::new()));
        ensure(&other, &impossible).unwrap_err();
        assert_eq!(names(dir.parent().unwrap()), ["app.1"]);
    }

    #[test]
    fn what_is_missing_is_written_and_what_somebody_changed_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("app");
        ensure(&dir, &files()).unwrap();
        let whole = Found::Directory {
            mended: vec![],
            changed: vec![],
        };
        fs::write(dir.join("app/results.csv"), "1\n").unwrap();
        assert_eq!(ensure(&dir, &files()).unwrap(), whole);

        fs::write(dir.join("pyproject.toml"), "[project]\nname = 'mine'\n").unwrap();
        fs::write(dir.join("app/client.py"), "app = Cli\0\0\0").unwrap();
        fs::remove_dir_all(dir.join("app/data")).unwrap();
        let found = Found::Directory {
            mended: vec!["app/client.py".to_owned(), "app/data/a.txt".to_owned()],
            changed: vec!["pyproject.toml".to_owned()],
        };
        assert_eq!(ensure(&dir, &files()).unwrap(), found);
        assert_eq!(read_all(&dir)[1..], files()[1..]);
        let changed = fs::read_to_string(dir.join("pyproject.toml")).unwrap();
        assert!(changed.contains("mine"));
        assert!(dir.join("app/results.csv").exists());
    }

    #[test]
    fn rests_of_killed_writers_go_when_they_are_old() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("app");
        let (old, young) = (home.path().join(".app.1"), home.path().join(".app.2"));
        for rest in [&old, &young] {
            fs::create_dir(rest).unwrap();
        }
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        fs::File::open(&old)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        ensure(&dir, &files()).unwrap();
        assert!(!old.exists() && young.exists());
    }
}
