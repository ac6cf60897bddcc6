//! The paths of object files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flwr_core::object::ObjectId;

use crate::objects::Error;
use flwr_security::private_files::TEMPORARY;

/// A file below the directory of a store.
#[derive(Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// The object that its name stands for; none in a temporary file.
    pub id: Option<ObjectId>,
    /// Its bytes.
    pub size: u64,
}

/// Where the bytes of an object are, in the store below `dir`.
#[must_use]
pub fn path_in(dir: &Path, id: &ObjectId) -> PathBuf {
    let name = id.to_string();
    dir.join(&name[..2]).join(&name)
}

/// The files of the store below `dir`: objects and temporary files, and nothing that somebody
/// else put there.
///
/// # Errors
/// A directory cannot be read.
pub fn files_in(dir: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for shelf in fs::read_dir(dir).map_err(failed("read", dir))?.flatten() {
        let is_shelf = shelf.file_name().len() == 2 && shelf.path().is_dir();
        if !is_shelf {
            continue;
        }
        let files = fs::read_dir(shelf.path()).map_err(failed("read", &shelf.path()))?;
        for file in files.flatten() {
            let path = file.path();
            let size = file.metadata().map_err(failed("read", &path))?.len();
            let id = file.file_name().to_str().and_then(|name| name.parse().ok());
            let is_temporary = path.extension().is_some_and(|ending| ending == TEMPORARY);
            if id.is_some() || is_temporary {
                found.push(Found { path, id, size });
            }
        }
    }
    Ok(found)
}

pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |source| Error::Failed {
        action,
        path,
        source,
    }
}
