//! The Debian package, from the programs that the tests have built: installed, upgraded, removed and
//! purged, by dpkg in a root of its own or by apt in whole systems.
//!
//! In a root of its own, dpkg runs the scripts of a package outside (`--force-script-chrootless`), so that
//! the root needs neither a shell nor a libc. What apt says of the dependencies is seen in whole systems
//! only (`cargo xtask dist --debian`).

mod root;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::artefacts::Pack;
use super::deb;
use super::source::{Source, VERSION};
use super::{tree, work};
use crate::support::build::{self, Profile};
use crate::support::tools;

pub(super) use root::{FLAGS, Root};

/// Takes a root through the life of a package, from a version before it on.
pub(super) fn check(pack: &Pack, package: &Path, folder: &Path) -> Result<()> {
    let older = kept(pack, &before(VERSION), folder)?;
    Root::bare(&folder.join("debian"))?.live(&older, package)?;
    println!("the Debian package is installed, upgraded, removed and purged");
    if fs::read(package)? != fs::read(pack.deb(VERSION)?)? {
        bail!(
            "{} is another file when it is made again",
            package.display()
        );
    }
    lint(package)
}

/// `cargo xtask dist --debian`: takes whole systems through the life of the package. The package of a
/// release, if it is given, is what the package of the tests' programs is upgraded to.
pub(super) fn in_trees(release: Option<&Path>) -> Result<ExitCode> {
    if let Some(reason) = deb::hindrance() {
        bail!("{reason}");
    }
    let folder = work().join("debian");
    tree::empty(&folder)?;
    let programs = folder.join("programs");
    tree::strip(&build::programs(Profile::Dev)?, &programs)?;
    let pack = Pack::of_tests(&programs, &Source::here()?)?;
    let older = kept(&pack, &before(VERSION), &folder)?;
    let now = match release {
        None => kept(&pack, VERSION, &folder)?,
        Some(release) => release
            .canonicalize()
            .with_context(|| format!("--debian {}", release.display()))?,
    };
    trees::check(&older, &now)?;
    lint(&now)?;
    Ok(ExitCode::SUCCESS)
}

/// The package of a version, where the next package does not replace it.
fn kept(pack: &Pack, version: &str, folder: &Path) -> Result<PathBuf> {
    let made = pack.deb(version)?;
    let kept = folder.join(made.file_name().context("a package without a name")?);
    fs::copy(&made, &kept)?;
    Ok(kept)
}

/// A version before this one.
pub(super) fn before(version: &str) -> String {
    // The mark `~` stands before the end of a version for dpkg.
    format!("{version}~before")
}

/// Has lintian look for errors.
fn lint(package: &Path) -> Result<()> {
    if !tools::is_there("lintian") {
        println!("SKIPPED: lintian on the Debian package, since lintian is missing");
        return Ok(());
    }
    let mut lintian = Command::new("lintian");
    lintian.args(["--fail-on", "error", "--tag-display-limit", "0"]);
    // Packages of a release are compressed.
    let uncompressed =
        ["control", "data"].map(|part| format!("uses-no-compression-for-{part}-tarball"));
    lintian.args(["--suppress-tags", &uncompressed.join(",")]);
    lintian.env("LC_ALL", "C.UTF-8");
    let output = lintian.arg(package).output()?;
    if !output.status.success() {
        bail!(
            "lintian finds errors:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    println!("lintian finds no errors in the Debian package");
    Ok(())
}

/// The glibc of this machine: programs of the tests are linked against it.
pub(super) fn glibc() -> Result<String> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output()?;
    let said = String::from_utf8(output.stdout)?;
    let version = said.trim().strip_prefix("glibc ");
    Ok(version.context("this machine has no glibc")?.to_owned())
}
