//! The release of pip's flwr that a program belongs to.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ask::ask;
use crate::interpreter::Interpreter;

/// The time limit for a program's Python to name its release. The Python imports a few modules.
const PATIENCE: Duration = Duration::from_secs(10);
/// Prints the release of the flwr that a Python would import.
const NAME_RELEASE: &str = "\
from importlib import metadata
for name in ('flwr', 'flwr-nightly'):
    try:
        print(metadata.version(name))
        break
    except metadata.PackageNotFoundError:
        pass";

/// The release of pip's flwr that a program belongs to, such as `1.22.0`. Blocks: the program's
/// Python is asked if the package is not installed beside the program. Starting the program itself
/// would take seconds.
#[must_use]
pub fn release_of(program: &Path) -> Option<String> {
    beside(program).or_else(|| by_python(program))
}

/// The release of the package that is installed beside the program.
fn beside(program: &Path) -> Option<String> {
    let environment = program.canonicalize().ok()?.parent()?.parent()?.join("lib");
    let pythons = fs::read_dir(environment).ok()?.flatten();
    pythons
        .flat_map(|python| fs::read_dir(python.path().join("site-packages")))
        .flatten()
        .flatten()
        .find_map(|package| of_package(package.file_name().to_str()?).map(str::to_owned))
}

/// The release in a name such as `flwr-1.22.0.dist-info`.
fn of_package(package: &str) -> Option<&str> {
    let version = package.strip_suffix(".dist-info")?;
    let nightly = version.strip_prefix("flwr_nightly-");
    version.strip_prefix("flwr-").or(nightly)
}

/// The release that the Python of a script would import: its packages may be elsewhere.
fn by_python(program: &Path) -> Option<String> {
    let Interpreter { python, options } = Interpreter::of(program)?;
    let mut command = Command::new(python);
    command.args(options).args(["-c", NAME_RELEASE]);
    let answer = ask(&mut command, PATIENCE).ok()?;
    let release = answer.trim();
    (!release.is_empty()).then(|| release.to_owned())
}
