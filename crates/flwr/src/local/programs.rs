//! Finds programs. Daemons are taken from the installation of this program, so that their versions are
//! equal. Programs that run apps are taken from `PATH`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use flwr_programs::beside;
pub(crate) use flwr_programs::{find, path_variable};

use crate::error::{Error, Result};

/// One of our daemons.
pub(super) fn daemon(name: &'static str) -> Result<PathBuf> {
    let own = env::current_exe().ok();
    if let Some(path) = own.and_then(|own| beside(&own, name)) {
        return Ok(path);
    }
    find(name, &path_variable()).ok_or(Error::NoDaemon(name))
}

/// `PATH` with a directory in front.
pub(super) fn path_with(directory: &Path) -> OsString {
    let path = path_variable();
    let all = std::iter::once(directory.to_owned()).chain(env::split_paths(&path));
    // `PATH` cannot hold a name with a colon.
    env::join_paths(all).unwrap_or_else(|_| path.clone())
}
