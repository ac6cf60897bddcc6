//! The Python environment for apps: the active environment if Flower is installed in it, else the
//! local federation's own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flwr_core::flower::{RELEASE, RELEASE_FOR_PYTHON_3_10};
use flwr_programs::Interpreter;

use super::install::Installation;
use super::{Local, programs};
use crate::error::{Error, Result};
use crate::render::Output;

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

/// What becomes of the packages that an earlier `flwr up` has installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packages {
    /// They stay.
    Keep,
    /// Flower's package becomes the one that a new environment gets.
    Renew,
}

/// Finds or makes an environment for apps. Gives `PATH` for the daemons.
pub(super) async fn prepare(
    local: &Local,
    packages: Packages,
    output: &mut Output,
) -> Result<OsString> {
    let path = programs::path_variable();
    if let [Some(program), Some(other)] = PROGRAMS.map(|name| programs::find(name, &path)) {
        for program in [&program, &other] {
            if let Some(python) = Interpreter::gone(program) {
                let program = program.clone();
                return Err(Error::NoInterpreter { program, python });
            }
        }
        if packages == Packages::Renew {
            output.say(&format!(
                "Apps run with {}, which is on PATH: --renew renews only what `flwr up` installed",
                program.display()
            ))?;
        }
        return Ok(path);
    }
    let environment = local.directory().join(ENVIRONMENT);
    let python = environment.join("bin/python");
    // A Python that does not run has lost its interpreter, as by an upgrade of the system.
    let installed = is_complete(&environment).then(|| release(&python));
    match (installed, packages) {
        (None, _) => make(local, &environment, output).await?,
        (Some(None), _) => {
            output.say(
                "The Python of the local federation does not run any more, or has lost its flwr.",
            )?;
            make(local, &environment, output).await?;
        }
        (Some(Some(found)), Packages::Renew) => renew(local, &found, &python, output).await?,
        (Some(Some(found)), Packages::Keep) => tell_of_newer(&found, &python, output)?,
    }
    output.say(&format!(
        "Apps run with {0}; install what yours needs with `{0} -m pip install -e path/to/app`",
        python.display()
    ))?;
    Ok(programs::path_with(&environment.join("bin")))
}

/// The programs for apps in the environment that `flwr up` has made. `None`: it has made none.
pub(crate) fn made(local: &Local) -> Option<PathBuf> {
    let environment = local.directory().join(ENVIRONMENT);
    is_complete(&environment).then(|| environment.join("bin"))
}

/// The release of Flower that a Python has.
pub(crate) fn release(python: &Path) -> Option<String> {
    ask(
        python,
        "from importlib.metadata import version; print(version('flwr'))",
    )
}

fn is_complete(environment: &Path) -> bool {
    environment.join(COMPLETE).exists()
}

/// The release of Flower for a Python. `None`: the Python is too old.
fn release_for(python: &Path) -> Option<&'static str> {
    let version = ask(python, "import sys; print(*sys.version_info[:2])")?;
    let (major, minor) = version.split_once(' ')?;
    match (major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?) {
        (3, 11..) => Some(RELEASE),
        (3, 10) => Some(RELEASE_FOR_PYTHON_3_10),
        _ => None,
    }
}

/// What a line of Python prints.
fn ask(python: &Path, line: &str) -> Option<String> {
    let mut command = Command::new(python);
    command.args(["-c", line]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// The Python on PATH that takes the newest release, with that release.
fn interpreter() -> Result<(PathBuf, &'static str)> {
    let path = programs::path_variable();
    let pythons = INTERPRETERS
        .iter()
        .filter_map(|name| programs::find(name, &path));
    let mut second = None;
    for python in pythons {
        match release_for(&python) {
            Some(RELEASE) => return Ok((python, RELEASE)),
            Some(release) => second = second.or(Some((python, release))),
            None => {}
        }
    }
    second.ok_or(Error::NoPython)
}

async fn make(local: &Local, environment: &Path, output: &mut Output) -> Result<()> {
    let (interpreter, release) = interpreter()?;
    output.say(&format!(
        "No `flwr-clientapp` on PATH: installing flwr=={release} for apps into {} ...",
        environment.display()
    ))?;
    // The remains of an interrupted attempt.
    if environment.exists() {
        fs::remove_dir_all(environment).map_err(|source| Error::Write {
            path: environment.to_owned(),
            source,
        })?;
    }
    let mut installation = Installation::begin(log(local), output)?;
    let venv = [
        "-m".into(),
        "venv".into(),
        environment.as_os_str().to_owned(),
    ];
    installation.step(&interpreter, &venv).await?;
    let python = environment.join("bin/python");
    installation.step(&python, &pip_install(release)).await?;
    fs::write(environment.join(COMPLETE), "").map_err(|source| Error::Write {
        path: environment.join(COMPLETE),
        source,
    })
}

/// Replaces Flower's package. The packages of the user's apps stay.
async fn renew(local: &Local, found: &str, python: &Path, output: &mut Output) -> Result<()> {
    let wanted = release_for(python).ok_or(Error::NoPython)?;
    if found == wanted {
        return output.say(&format!("Apps have flwr {wanted} already."));
    }
    output.say(&format!(
        "Installing flwr=={wanted} for apps: {} ...",
        python.display()
    ))?;
    let mut installation = Installation::begin(log(local), output)?;
    installation.step(python, &pip_install(wanted)).await
}

/// Tells that a new environment would get another release than this one has.
fn tell_of_newer(found: &str, python: &Path, output: &mut Output) -> Result<()> {
    match release_for(python) {
        Some(wanted) if found != wanted => output.say(&format!(
            "Apps have flwr {found}: `flwr up --renew` installs {wanted} in its place."
        )),
        _ => Ok(()),
    }
}

fn log(local: &Local) -> PathBuf {
    local.directory().join("python.log")
}

/// The arguments by which Python installs a release of Flower.
fn pip_install(release: &str) -> [OsString; 7] {
    let package = format!("flwr=={release}");
    [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        // The last line of the log is shown, and a bar says less than the name of a package.
        "--progress-bar",
        "off",
        &package,
    ]
    .map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;
    use crate::render::pages;

    /// A Python of this version with this release of Flower, which notes what it installs.
    fn python(folder: &Path, version: &str, flower: &str) -> PathBuf {
        let path = folder.join("python");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n*version_info*) echo {version};;\n*importlib*) echo {flower};;\n\
             *) echo \"$*\" >> '{}';;\nesac\n",
            folder.join("said").display()
        );
        // This process must not have the file open: children of other tests would keep it open, and
        // the system starts no file that is open for writing.
        let write = "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let mut shell = Command::new("sh");
        let status = shell.args(["-c", write]).arg(&path).arg(script).status();
        assert!(status.unwrap().success());
        path
    }

    #[test]
    fn each_python_gets_the_newest_release_that_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        for (version, wanted) in [
            ("3 13", Some(RELEASE)),
            ("3 11", Some(RELEASE)),
            ("3 10", Some(RELEASE_FOR_PYTHON_3_10)),
            ("3 9", None),
            ("2 7", None),
            ("nonsense", None),
        ] {
            let python = python(folder.path(), version, "1.22.0");
            assert_eq!(release_for(&python), wanted, "{version}");
        }
        assert_eq!(release_for(&folder.path().join("missing")), None);
    }

    #[tokio::test]
    async fn an_environment_of_an_earlier_release_stays_until_it_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::at(folder.path());
        fs::create_dir_all(local.directory()).unwrap();
        let old = python(folder.path(), "3 12", "1.22.0");
        let (mut output, told, _) = pages(Format::Default, false);
        tell_of_newer("1.22.0", &old, &mut output).unwrap();
        assert!(
            told.text().contains("Apps have flwr 1.22.0"),
            "{}",
            told.text()
        );
        assert!(!folder.path().join("said").exists());

        renew(&local, "1.22.0", &old, &mut output).await.unwrap();
        let said = fs::read_to_string(folder.path().join("said")).unwrap();
        let package = format!("flwr=={RELEASE}\n");
        assert!(
            said.starts_with("-m pip install ") && said.ends_with(&package),
            "{said}"
        );

        let new = python(folder.path(), "3 12", RELEASE);
        let (mut output, told, _) = pages(Format::Default, false);
        tell_of_newer(RELEASE, &new, &mut output).unwrap();
        assert_eq!(told.text(), "");
        renew(&local, RELEASE, &new, &mut output).await.unwrap();
        assert!(told.text().contains("already"), "{}", told.text());
        assert_eq!(
            fs::read_to_string(folder.path().join("said")).unwrap(),
            said
        );
    }
}
