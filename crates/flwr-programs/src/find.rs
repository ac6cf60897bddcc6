//! Finds programs on `PATH`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// `PATH` of this process.
#[must_use]
pub fn path_variable() -> OsString {
    env::var_os("PATH").unwrap_or_default()
}

/// The first program of this name in the folders of a `PATH`.
#[must_use]
pub fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    all(name, path).next()
}

/// All programs of this name in the folders of a `PATH`, in their order.
pub fn all(name: &str, path: &OsStr) -> impl Iterator<Item = PathBuf> {
    env::split_paths(path)
        .map(move |folder| folder.join(name))
        .filter(|file| is_program(file))
}

/// Whether this user may execute the file.
pub(crate) fn is_program(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_the_first_executable_file_of_that_name_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str| dir.path().join(name);
        for name in ["first", "second", "third"] {
            fs::create_dir(folder(name)).unwrap();
            fs::write(folder(name).join("tool"), "#!/bin/sh\n").unwrap();
        }
        let runs = |name: &str| {
            let tool = folder(name).join("tool");
            fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
            tool
        };
        let found = [runs("second"), runs("third")];
        let path = env::join_paths(["gone", "first", "second", "third"].map(folder)).unwrap();
        assert_eq!(find("tool", &path), Some(found[0].clone()));
        assert_eq!(all("tool", &path).collect::<Vec<_>>(), found);
        assert_eq!(find("other", &path), None);
    }
}
