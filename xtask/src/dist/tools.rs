//! The tools that make and check artefacts: each in one version, fetched from PyPI once and kept in
//! `target/python`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::support::{build, python};

/// What packs. A new version is tried by `cargo xtask dist` and by `cargo xtask dist --smoke`.
const PACK: [&str; 2] = [
    // Writes a wheel's list of files and its archive.
    "wheel==0.48.0",
    // Tells which systems a wheel fits.
    "auditwheel==6.8.2",
];
/// What links.
const LINK: [&str; 2] = [
    // Links against an old glibc ...
    "cargo-zigbuild==0.24.1",
    // ... by this compiler, which brings the symbols of every glibc.
    "ziglang==0.15.2",
];

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
