//! Finds programs on `PATH`.

use std::ffi::OsStr;
use std::path::PathBuf;

use flwr_programs::{find, path_variable};

use super::Error;

/// Finds an executable in the directories of `PATH`.
///
/// # Errors
/// If no directory has the program. The text names the program and how to install it.
pub fn find_program(name: &str) -> Result<PathBuf, Error> {
    find_in(name, &path_variable())
}

pub(super) fn find_in(name: &str, path: &OsStr) -> Result<PathBuf, Error> {
    find(name, path).ok_or_else(|| Error::NotFound {
        program: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
