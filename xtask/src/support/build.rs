//! Where things are in this workspace, and cargo itself.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

/// Whether to build for speed of building or of running.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder for everything that is made and can be made again.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that started this program, in the workspace's folder. rustc stands still under a library that
/// gives it another date (libfaketime), so cargo gets no such library.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).env_remove("LD_PRELOAD");
    cargo
}

/// Builds the programs and says in which folder they are.
pub(crate) fn programs(profile: Profile) -> Result<PathBuf> {
    built(
        profile,
        &[
            "flower-superlink",
            "flower-supernode",
            "flower-client-app",
            "flower-server-app",
            "flwr",
            "flwrd",
        ],
    )
}

/// Builds these programs and says in which folder they are. Those for tests have the features that the whole
/// workspace asks for, so that tests, programs and fuzz targets share what is built; those for use have the
/// features of their own packages.
pub(crate) fn built(profile: Profile, programs: &[&str]) -> Result<PathBuf> {
    let mut build = cargo();
    build.arg("build");
    match profile {
        Profile::Dev => build.arg("--workspace"),
        Profile::Release => build.arg("--release").args(packages_of(programs)),
    };
    for program in programs {
        build.args(["--bin", program]);
    }
    succeed(&mut build)?;
    Ok(target().join(profile.folder()))
}

fn packages_of<'a>(programs: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let package = |program: &&'a str| match *program {
        "flower-client-app" => "flower-supernode",
        program => program,
    };
    let packages = programs.iter().map(package);
    packages.flat_map(|package| ["--package", package])
}

/// Has `cargo` run the test program `name` of `tests/tests`, with what follows as its arguments. It has the
/// features of the whole workspace, as the programs have.
pub(crate) fn test_program(cargo: &mut Command, name: &str) {
    cargo.args(["test", "--workspace", "--test", name, "--"]);
}

/// Runs `command` to its end; an error unless it leaves with 0.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("{shown} does not start"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// What `command` prints, which is given nothing to read. An error with all that it has told unless it
/// leaves with 0.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{shown} does not start"))?;
    if !output.status.success() {
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        bail!("{shown} failed ({}):\n{told}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` to its end, and says as what to leave: what failed has told itself.
pub(crate) fn outcome(command: &mut Command) -> Result<ExitCode> {
    Ok(if command.status()?.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let mut text = format!("`{}", program.to_string_lossy());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text + "`"
}

/// Copies a folder, without what its scripts made there before.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let made = ["certificates", "keys", "datasets", "__pycache__", ".flwr"];
        if made.iter().any(|made| name == *made) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What a figure was measured with: the commit, the day, and the cores of the machine.
pub(crate) fn description() -> Result<String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(format!("{}, {cores} cores", commit_and_day()?))
}

/// The commit of this workspace, and today.
pub(crate) fn commit_and_day() -> Result<String> {
    let commit = said_by("git", &["rev-parse", "--short", "HEAD"])?;
    let changed = said_by("git", &["status", "--porcelain", "--untracked-files=no"])?;
    let changed = if changed.is_empty() {
        ""
    } else {
        " with changes"
    };
    let day = said_by("date", &["-u", "+%F"])?;
    Ok(format!("commit {commit}{changed}, {day}"))
}

fn said_by(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.current_dir(root()).args(arguments).output();
    let output = output.with_context(|| format!("{program} does not start"))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
