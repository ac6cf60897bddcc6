//! Ends a ServerApp's process when its app ends. The `flwr-serverapp` of flwr 1.21 and 1.22 hangs
//! after `sys.exit`.
//!
//! If the program is a Python script, its Python runs the script through `serverapp.py`. Any other
//! program, such as a shell script that sets variables first, runs unchanged and finds
//! `sitecustomize.py` on `PYTHONPATH`. The daemon tests this once at its start.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flwr_core::home::flwr_home;
use flwr_programs::Interpreter;
use tracing::debug;

use flwr_security::private_files;

const MODULE: &str = include_str!("sitecustomize.py");
/// The variable with the path of the answer file.
const ANSWER: &str = "FLWR_GUARD_ANSWER";
/// The time limit for the start of a program's Python. Wrappers may load modules first.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the processes of a program are guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The program is a script that names this Python. Its processes can be prepared.
    Script(PathBuf),
    /// The program is of another kind, and starts this Python.
    Wrapper(PathBuf),
    /// The Python is unknown: a ServerApp that calls `sys.exit` may go on for ever.
    Missing,
}

impl Guard {
    /// Prepares to guard the processes of this `flwr-serverapp`. Blocks: for seconds if the program
    /// is no Python script.
    #[must_use]
    pub fn prepare(program: &Path, flwr_dir: Option<&Path>) -> Self {
        if let Some(found) = Interpreter::of(program) {
            return Self::Script(found.python);
        }
        let found = folder(flwr_dir).map(|folder| {
            write_module(&folder)?;
            ask(program, &folder)
        });
        match found {
            Some(Ok(Some(python))) => Self::Wrapper(python),
            Some(Ok(None)) | None => Self::Missing,
            Some(Err(error)) => {
                debug!(%error, program = %program.display(), "the program's Python is not known");
                Self::Missing
            }
        }
    }

    /// What is wrong with the program, and the way out.
    #[must_use]
    pub fn warning(&self, program: &Path) -> Option<(String, &'static str)> {
        let text = match self {
            Self::Script(_) => return None,
            Self::Wrapper(python) => format!(
                "{} starts {} in a way of its own: each ServerApp's process starts from nothing",
                program.display(),
                python.display()
            ),
            Self::Missing => format!(
                "{} does not tell which Python runs it: a ServerApp that calls sys.exit may stay `running` until `flwr stop`",
                program.display()
            ),
        };
        let hint = "put the environment's own flwr-serverapp first on PATH, as pip installs it";
        Some((text, hint))
    }
}

/// Whether the program is a script that names its Python. Only then can processes be prepared.
#[must_use]
pub fn names_its_python(program: &Path) -> bool {
    Interpreter::of(program).is_some()
}

/// The variable for a program that runs unchanged.
pub(super) fn variable(flwr_dir: Option<&Path>) -> Option<(OsString, OsString)> {
    let folder = folder(flwr_dir).filter(|folder| folder.is_dir())?;
    Some(("PYTHONPATH".into(), python_path(&folder)?))
}

/// `PYTHONPATH` with this folder first.
fn python_path(folder: &Path) -> Option<OsString> {
    let now = env::var_os("PYTHONPATH").filter(|now| !now.is_empty());
    let now = now.iter().flat_map(env::split_paths);
    env::join_paths([folder.to_owned()].into_iter().chain(now)).ok()
}

/// The folder of `sitecustomize.py`.
fn folder(flwr_dir: Option<&Path>) -> Option<PathBuf> {
    let home = flwr_dir.map(Path::to_owned);
    let home = home.or_else(|| flwr_home(|name| env::var_os(name)))?;
    let home = home.canonicalize().unwrap_or(home);
    Some(home.join("superlink").join("guard"))
}

fn write_module(folder: &Path) -> io::Result<()> {
    let file = folder.join("sitecustomize.py");
    if fs::read(&file).is_ok_and(|text| text == MODULE.as_bytes()) {
        return Ok(());
    }
    private_files::create_dir(folder)?;
    private_files::replace(&file, |file| file.write_all(MODULE.as_bytes()))
}

/// Starts the program with the module, which leaves the Python's path and ends the program.
fn ask(program: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    let answer = folder.join(format!("answer-{}", std::process::id()));
    let path = python_path(folder).ok_or(io::ErrorKind::InvalidFilename)?;
    let mut command = Command::new(program);
    command
        .args(["--insecure", "--serverappio-api-address", "127.0.0.1:9091"])
        .arg("--help")
        .env("PYTHONPATH", path)
        .env(ANSWER, &answer);
    flwr_programs::ask(&mut command, PATIENCE)?;
    let python = fs::read_to_string(&answer).ok();
    if python.is_some() {
        fs::remove_file(&answer)?;
    }
    Ok(python.map(PathBuf::from))
}

#[cfg(test)]
mod tests;
