//! Whose storage directory it is. A state removes the files that it knows nothing of, so two
//! states must never share a directory.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flwr_security::private_files;
use thiserror::Error;

use super::blobs::NAMES;
use super::{FABS, OBJECTS};

/// The file that names the owner.
const FILE: &str = "owner";
/// Stands for a state in memory: its files are nobody's once it has ended.
pub(super) const NOBODY: &str = "memory";

/// Why a storage directory cannot be used.
#[derive(Debug, Error)]
pub enum OwnerError {
    /// It is somebody else's.
    #[error(
        "`{}` holds the objects of another state ({found}): give each --database its own --storage-dir",
        .dir.display()
    )]
    Other {
        /// The directory.
        dir: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// The system does not let us.
    #[error("could not use `{}`", .path.display())]
    Failed {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OwnerError {
    /// Marks an error of the system with its path.
    pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Failed { path, source }
    }
}

/// Makes the directory (0700) this owner's, unless it is another's.
pub(super) fn claim(dir: &Path, owner: &str) -> Result<(), OwnerError> {
    let path = dir.join(FILE);
    let failed = |source| OwnerError::Failed {
        path: path.clone(),
        source,
    };
    private_files::create_dir(dir).map_err(failed)?;
    match read(dir)? {
        Some(found) if found == owner => return Ok(()),
        Some(found) if found != NOBODY => {
            let dir = dir.to_owned();
            return Err(OwnerError::Other { dir, found });
        }
        _ => {}
    }
    private_files::replace(&path, |file| writeln!(file, "{owner}")).map_err(failed)
}

/// Whether a directory holds nothing of a state in PostgreSQL, and is no other's either.
pub(super) fn has_nothing_of(dir: &Path, state: &str) -> Result<bool, OwnerError> {
    let owner = read(dir)?;
    if owner.as_ref().is_some_and(|owner| owner != NOBODY) {
        return Ok(false);
    }
    let starts = fs::read_dir(dir.join(NAMES))
        .into_iter()
        .flatten()
        .flatten();
    let of_state = format!("{state}-");
    let mut names = starts.map(|start| start.file_name().to_string_lossy().into_owned());
    let is_named = names.any(|name| name.starts_with(&of_state));
    // What a SuperLink of schema version 1 has stored does not tell its state.
    let is_by_id = owner.is_none() && [OBJECTS, FABS].iter().any(|name| dir.join(name).is_dir());
    Ok(!is_named && !is_by_id)
}

/// The owner of a directory, if it has one.
pub(super) fn read(dir: &Path) -> Result<Option<String>, OwnerError> {
    let path = dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|owner| !owner.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OwnerError::Failed { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_of_one_state_only() {
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("storage");
        claim(&storage, NOBODY).unwrap();
        claim(&storage, "first").unwrap();
        claim(&storage, "first").unwrap();
        for other in ["second", NOBODY] {
            let error = claim(&storage, other).unwrap_err();
            assert!(
                error.to_string().contains("another state (first)"),
                "{error}"
            );
        }
    }
}
