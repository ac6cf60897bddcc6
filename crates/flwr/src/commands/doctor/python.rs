//! Checks the Python environment that would run apps on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use flwr_core::checkup::Checkup;
use flwr_core::flower::RELEASE;

use crate::local::{Local, programs, python};

const PYTHON: &str = "python";
/// What daemons start for apps.
const PROGRAMS: [&str; 2] = ["flwr-serverapp", "flwr-clientapp"];
/// Versions whose app processes our daemons start.
const FITS: std::ops::RangeInclusive<(u32, u32)> = (1, 20)..=(1, 43);

/// Looks for the programs that daemons of this machine would start: on PATH, then in the environment
/// of `flwr up`. Without them runs work all the same where the daemons are elsewhere.
pub(super) fn look(local: Option<&Local>, checkup: &mut Checkup) {
    let active = programs_on(&programs::path_variable()).map(|program| (program, ""));
    let made = || {
        let folder = python::made(local?)?;
        Some((programs_on(folder.as_os_str())?, ", made by `flwr up`"))
    };
    let Some((server, whose)) = active.or_else(made) else {
        let text = "no flwr-serverapp and flwr-clientapp on PATH";
        let hint = format!(
            "daemons of this machine need them: activate the environment with `pip install flwr=={RELEASE}`; \
             `flwr up` makes one by itself"
        );
        return checkup.warning(PYTHON, text, Some(&hint));
    };
    let shown = server.display();
    match version(&server) {
        None => checkup.warning(PYTHON, format!("{shown} does not tell its version"), None),
        Some((version, number)) if FITS.contains(&number) => {
            checkup.good(PYTHON, format!("{shown}, of flwr {version}{whose}"));
        }
        Some((version, _)) => {
            let hint = format!(
                "our daemons start those of flwr 1.20 to 1.43: `pip install flwr=={RELEASE}`"
            );
            checkup.warning(PYTHON, format!("{shown}, of flwr {version}"), Some(&hint));
        }
    }
}

/// `flwr-serverapp`, if these folders have both programs.
fn programs_on(path: &OsStr) -> Option<PathBuf> {
    let [server, client] = PROGRAMS.map(|name| programs::find(name, path));
    client.and(server)
}

/// The version of Flower that a program belongs to, as text and as (major, minor).
fn version(program: &Path) -> Option<(String, (u32, u32))> {
    let text = python::release(&program.parent()?.join("python"))?;
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let number = (numbers.next()??, numbers.next()??);
    Some((text, number))
}
