//! Finds programs. Daemons are taken from the directory of this program, so that their versions are
//! equal. Programs that run apps are taken from `PATH`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// One of our daemons.
pub(super) fn daemon(name: &'static str) -> Result<PathBuf> {
    let own = env::current_exe().and_then(|path| path.canonicalize());
    let beside = own.ok().and_then(|path| Some(path.parent()?.join(name)));
    if let Some(path) = beside.filter(|path| path.is_file()) {
        return Ok(path);
    }
    find(name, &path_variable()).ok_or(Error::NoDaemon(name))
}

/// `PATH` of this process.
pub(crate) fn path_variable() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// `PATH` with a directory in front.
pub(super) fn path_with(directory: &Path) -> OsString {
    let path = path_variable();
    let all = std::iter::once(directory.to_owned()).chain(env::split_paths(&path));
    // `PATH` cannot hold a name with a colon.
    env::join_paths(all).unwrap_or_else(|_| path.clone())
}

/// The first program of that name in the directories of a PATH.
pub(crate) fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let executable = |path: &PathBuf| {
        let metadata = path.metadata();
        metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(path)
        .map(|directory| directory.join(name))
        .find(executable)
}
