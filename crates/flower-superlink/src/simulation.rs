//! `--simulation`: this SuperLink does not simulate, so the next `flower-superlink` on PATH that is not
//! this project's takes the place of this process.
//!
//! `flwr` of 1.27 and later starts `flower-superlink --simulation` from PATH for its default
//! connection, `:local:`. Where PATH has this project's programs first, such a start ends here.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use flwr_programs::{Maker, all, path_variable, take_place};
use thiserror::Error;

/// The name that is looked for on PATH.
const NAME: &str = "flower-superlink";
/// The flag.
const FLAG: &str = "--simulation";
/// The variable with the programs that were started so far. A wrapper among them may lead back here.
const STARTED: &str = "FLWRD_STARTED";

/// Why nobody took the place of this process.
#[derive(Debug, Error)]
pub enum Error {
    /// PATH has no other SuperLink.
    #[error(
        "--simulation: this SuperLink does not simulate, and PATH has no flower-superlink of pip's flwr \
         that does: install it with `pip install \"flwr[simulation]\"`, or run the app on SuperNodes \
         (`flwr up` starts two)"
    )]
    NoOther,
    /// The other SuperLink cannot be started.
    #[error("--simulation: {} cannot be started", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether the command line asks for a simulation.
pub fn is_asked_for(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().skip(1).any(|word| word == FLAG)
}

/// Replaces this process by the next SuperLink on PATH that is not this project's, with the arguments
/// unchanged. `tell` gets one line about that before. Returns only if that fails. Blocks: programs on
/// PATH are asked for their version.
pub fn hand_over(arguments: impl IntoIterator<Item = OsString>, tell: impl FnOnce(&str)) -> Error {
    let started = env::var_os(STARTED).unwrap_or_default();
    let Some((path, maker)) = next(&path_variable(), &started) else {
        return Error::NoOther;
    };
    tell(&format!(
        "this SuperLink does not simulate: {} ({maker}) does",
        path.display()
    ));
    let mut command = Command::new(&path);
    command.args(arguments.into_iter().skip(1));
    // PATH gave the name, so no name on PATH holds a colon.
    let started = env::split_paths(&started).chain([path.clone()]);
    if let Ok(started) = env::join_paths(started.filter(|path| !path.as_os_str().is_empty())) {
        command.env(STARTED, started);
    }
    let source = take_place(&mut command, &path);
    Error::Start { path, source }
}

/// The first SuperLink on a PATH that is not this project's and was not started yet.
fn next(path: &OsStr, started: &OsStr) -> Option<(PathBuf, Maker)> {
    let was_started = |program: &Path| env::split_paths(started).any(|other| other == program);
    all(NAME, path)
        .filter(|program| !was_started(program))
        .map(|program| (Maker::of(&program), program))
        .find(|(maker, _)| !maker.is_ours())
        .map(|(maker, program)| (program, maker))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn superlink(folder: &Path, says: &str) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(NAME);
        fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_next_superlink_that_is_not_ours_and_was_not_started_takes_over() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str| dir.path().join(name);
        superlink(&folder("a"), "flower-superlink 0.0.9 (commit 0123456789)");
        let wrapper = superlink(&folder("b"), "loading modules");
        let pips = superlink(&folder("c"), "Flower version: 1.41.0");
        let path = env::join_paths(["gone", "a", "b", "c"].map(folder)).unwrap();
        let found = |started: &OsStr| next(&path, started);
        assert_eq!(
            found(OsStr::new("")),
            Some((wrapper.clone(), Maker::Unknown))
        );
        let (program, maker) = found(wrapper.as_os_str()).unwrap();
        assert_eq!(program, pips);
        assert_eq!(maker, Maker::Pips(Some("1.41.0".to_owned())));
        let both = env::join_paths([wrapper, pips]).unwrap();
        assert_eq!(found(&both), None);
    }

    #[test]
    fn only_the_flag_itself_asks_for_a_simulation() {
        let asks = |typed: &[&str]| is_asked_for(typed.iter().map(OsString::from));
        assert!(asks(&["flower-superlink", "--insecure", "--simulation"]));
        assert!(!asks(&["--simulation", "--insecure"]));
        assert!(!asks(&[
            "flower-superlink",
            "--simulationio-api-address",
            "0.0.0.0:9096"
        ]));
    }
}
