//! The tools that make and check artefacts: each in one version, fetched once, and kept in
//! `target/python` (those of PyPI) and `target/tools` (those of crates.io).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::source::VERSION;
use crate::support::{build, python};

/// What packs. A new version is tried by `cargo xtask dist` and by `cargo xtask dist --smoke`.
const PACK: [&str; 2] = [
    // Writes a wheel's list of files and its archive.
    "wheel==0.48.0",
    // Tells which systems a wheel fits.
    "auditwheel==6.8.2",
];
/// What checks the examples for containers, with the schemas.
const SCHEMAS: [&str; 2] = ["check-jsonschema==0.39.0", "kubernetes-validate==1.37.0"];
/// What links.
const LINK: [&str; 2] = [
    // Links against an old glibc ...
    "cargo-zigbuild==0.24.1",
    // ... by this compiler, which brings the symbols of every glibc.
    "ziglang==0.15.2",
];

/// Writes the list of its crates into each program.
const AUDITABLE: Crate = Crate("cargo-auditable", "0.7.7", "");
/// Reads that list.
const AUDIT_INFO: Crate = Crate("rust-audit-info", "0.5.4", "");
/// Writes a bill of materials for each package.
const CYCLONEDX: Crate = Crate("cargo-cyclonedx", "0.5.9", "");
/// Collects the texts of licences.
const ABOUT: Crate = Crate("cargo-about", "0.9.3", "cli");

/// A tool of crates.io: its name, which is also that of its program, its version, and the feature with
/// the program, if that is not built anyway.
struct Crate(&'static str, &'static str, &'static str);

impl Crate {
    /// The program, built if this machine has not built it yet.
    fn program(&self) -> Result<PathBuf> {
        let (Self(name, version, feature), program) = (self, self.kept().join("bin").join(self.0));
        if program.is_file() {
            return Ok(program);
        }
        println!("Building {name} {version} ...");
        let made = tools().join(format!(".{name}"));
        let mut install = build::cargo();
        install.args([
            "install",
            "--locked",
            "--quiet",
            "--no-track",
            "--version",
            version,
        ]);
        install.args(["--features", feature, "--root"]);
        install.arg(&made).arg(name);
        install.env("CARGO_TARGET_DIR", made.join("target"));
        build::succeed(&mut install)?;
        fs::remove_dir_all(made.join("target"))?;
        fs::rename(&made, self.kept())?;
        Ok(program)
    }

    /// The folder that keeps the program.
    fn kept(&self) -> PathBuf {
        tools().join(format!("{}-{}", self.0, self.1))
    }

    /// The program as cargo starts it.
    fn command(&self) -> Result<Command> {
        let Self(name, ..) = self;
        let mut command = Command::new(self.program()?);
        command.current_dir(build::root());
        command.args(name.strip_prefix("cargo-"));
        let cargo = build::cargo();
        command.env("CARGO", cargo.get_program());
        command.env_remove("LD_PRELOAD");
        Ok(command)
    }
}

/// The folder with the tools of crates.io.
fn tools() -> PathBuf {
    build::target().join("tools")
}

/// The first tool for licences and bills of materials that this machine has not built yet.
pub(super) fn missing_for_texts() -> Option<&'static str> {
    let missing = [ABOUT, CYCLONEDX]
        .into_iter()
        .find(|tool| !tool.kept().is_dir());
    missing.map(|Crate(name, ..)| name)
}

/// The folders of the tools of crates.io that this machine has built.
pub(super) fn installed() -> impl Iterator<Item = PathBuf> {
    let all = [AUDITABLE, AUDIT_INFO, CYCLONEDX, ABOUT];
    let folders = all.map(|tool| tool.kept());
    folders.into_iter().filter(|folder| folder.is_dir())
}

/// Cargo, with the list of crates written into each program that it builds.
pub(super) fn auditable() -> Result<Command> {
    AUDITABLE.command()
}

/// The list of crates that a program has in itself, as JSON.
pub(super) fn crates_in(program: &Path) -> Result<String> {
    build::said(AUDIT_INFO.command()?.arg(program))
}

/// What writes bills of materials.
pub(super) fn cyclonedx() -> Result<Command> {
    CYCLONEDX.command()
}

/// What collects licences.
pub(super) fn about() -> Result<Command> {
    ABOUT.command()
}

/// Checks that a program says this version.
pub(super) fn says_version(command: &mut Command) -> Result<()> {
    let said = build::said(command)?;
    if !said.contains(&format!("{VERSION} (commit ")) {
        bail!("{} says {said:?}, not {VERSION}", build::show(command));
    }
    Ok(())
}

/// The folder with the programs that check the examples for containers.
pub(super) fn schemas() -> Result<PathBuf> {
    prepared("dist-schemas", &SCHEMAS)
}

/// The folder with the programs that link.
pub(super) fn link() -> Result<PathBuf> {
    prepared("dist-link", &LINK)
}

/// The Python with the modules that pack.
pub(super) fn pack() -> Result<Command> {
    Ok(Command::new(prepared("dist-pack", &PACK)?.join("python")))
}

fn prepared(name: &str, tools: &[&str]) -> Result<PathBuf> {
    let tools: Vec<_> = tools.iter().map(|tool| (*tool).to_owned()).collect();
    Ok(python::bin(&python::environment(name, &tools, &[])?))
}

/// Checks that the programs in a wheel need no newer system than the wheel's name promises.
pub(super) fn audit(wheel: &Path) -> Result<()> {
    let mut command = pack()?;
    command.args(["-m", "auditwheel", "show"]).arg(wheel);
    let output = command.output().context("auditwheel does not start")?;
    let (said, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let promise = super::wheel::PLATFORM;
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.contains(&format!(
        "consistent with the following platform tag: \"{promise}\""
    )) {
        bail!(
            "{} promises {promise}, but {}:\n{said}{failed}",
            wheel.display(),
            build::show(&command)
        );
    }
    Ok(())
}
