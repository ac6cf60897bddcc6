//! Apps that lie in a directory, as Flower's older commands take them: `--dir DIR`.

use std::io;
use std::path::Path;

use flwr_core::fab::{self, AppRef, Fab, FabError};
use thiserror::Error;

/// Why an app in a directory cannot be run.
#[derive(Debug, Error)]
pub enum DirError {
    /// The directory is not there, or cannot be read.
    #[error("--dir {0}")]
    Dir(String, #[source] io::Error),
    /// Python's import path is text.
    #[error("--dir {0}: its name is not UTF-8 text")]
    NotText(String),
    /// The bundle that loads the app cannot be made.
    #[error(transparent)]
    Fab(#[from] FabError),
}

/// A bundle that loads an app from where the app lies.
///
/// # Errors
/// If the directory is not there or has a name that is not text.
pub fn fab_of_dir(app: &AppRef, dir: &Path) -> Result<Fab, DirError> {
    let shown = || dir.display().to_string();
    let absolute = dir.canonicalize();
    let absolute = absolute.map_err(|error| DirError::Dir(shown(), error))?;
    let text = absolute
        .to_str()
        .ok_or_else(|| DirError::NotText(shown()))?;
    Ok(fab::of_directory(app, text)?)
}
