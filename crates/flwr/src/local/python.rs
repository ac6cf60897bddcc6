//! The Python environment for apps: the active environment if Flower is installed in it, else the
//! local federation's own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::install::Installation;
use super::{Local, programs};
use crate::error::{Error, Result};
use crate::render::Output;

/// The version of Flower to install: the latest that all our programs speak.
const FLOWER: &str = "flwr==1.22.0";
/// The programs that the daemons start for apps.
const PROGRAMS: [&str; 2] = ["flwr-serverapp", "flwr-clientapp"];
/// The names of Python, in the order of trial.
const INTERPRETERS: [&str; 5] = [
    "python3",
    "python3.12",
    "python3.11",
    "python3.13",
    "python3.10",
];
/// The environment in the local federation's folder.
const ENVIRONMENT: &str = "python";
/// The marker file of a complete environment.
const COMPLETE: &str = "complete";

/// Finds or makes an environment for apps. Gives `PATH` for the daemons.
pub(super) async fn prepare(local: &Local, output: &mut Output) -> Result<OsString> {
    let path = programs::path_variable();
    if PROGRAMS
        .iter()
        .all(|name| programs::find(name, &path).is_some())
    {
        return Ok(path);
    }
    let environment = local.directory().join(ENVIRONMENT);
    if !is_complete(&environment) {
        output.say(&format!(
            "No `flwr-clientapp` on PATH: installing {FLOWER} for apps into {} ...",
            environment.display()
        ))?;
        make(local, &environment, output).await?;
    }
    output.say(&format!(
        "Apps run with {0}; install what yours needs with `{0} -m pip install -e path/to/app`",
        environment.join("bin/python").display()
    ))?;
    Ok(programs::path_with(&environment.join("bin")))
}

/// The programs for apps in the environment that `flwr up` has made. `None`: it has made none.
pub(crate) fn made(local: &Local) -> Option<PathBuf> {
    let environment = local.directory().join(ENVIRONMENT);
    is_complete(&environment).then(|| environment.join("bin"))
}

fn is_complete(environment: &Path) -> bool {
    environment.join(COMPLETE).exists()
}

async fn make(local: &Local, environment: &Path, output: &mut Output) -> Result<()> {
    let path = programs::path_variable();
    let mut interpreters = INTERPRETERS.iter();
    let python = interpreters.find_map(|name| programs::find(name, &path));
    let python = python.ok_or(Error::NoPython)?;
    // The remains of an interrupted attempt.
    if environment.exists() {
        fs::remove_dir_all(environment).map_err(|source| Error::Write {
            path: environment.to_owned(),
            source,
        })?;
    }
    let log = local.directory().join("python.log");
    let mut installation = Installation::begin(log, output)?;
    let venv = [
        "-m".into(),
        "venv".into(),
        environment.as_os_str().to_owned(),
    ];
    installation.step(&python, &venv).await?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        FLOWER,
    ]
    .map(OsString::from);
    let python = environment.join("bin/python");
    installation.step(&python, &pip).await?;
    fs::write(environment.join(COMPLETE), "").map_err(|source| Error::Write {
        path: environment.join(COMPLETE),
        source,
    })
}
