//! Finds programs on `PATH`.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

use rustix::fs::{Access, access};

use super::Error;

/// Finds an executable in the directories of `PATH`.
///
/// # Errors
/// If no directory has the program. The text names the program and how to install it.
pub fn find_program(name: &str) -> Result<PathBuf, Error> {
    find_in(name, &env::var_os("PATH").unwrap_or_default())
}

pub(super) fn find_in(name: &str, path: &OsStr) -> Result<PathBuf, Error> {
    env::split_paths(path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
        .ok_or_else(|| Error::NotFound {
            program: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_the_first_executable_file_of_that_name_on_the_path() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(first.path().join("tool"), "not executable").unwrap();
        let wanted = second.path().join("tool");
        fs::write(&wanted, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&wanted, fs::Permissions::from_mode(0o755)).unwrap();
        let path = env::join_paths([first.path(), second.path()]).unwrap();
        assert_eq!(find_in("tool", &path).unwrap(), wanted);
    }

    #[test]
    fn a_missing_program_names_the_way_to_install_it() {
        let error = find_in("flwr-clientapp", OsStr::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`flwr-clientapp` was not found on PATH"),
            "{error}"
        );
        let install = format!("pip install flwr=={}", flwr_core::flower::RELEASE);
        assert!(error.contains(&install), "{error}");
    }
}
