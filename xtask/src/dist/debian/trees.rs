//! Whole systems of Debian, kept in the target folder, for the life of the package in each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::super::{tree, work};
use super::root::Root;
use crate::support::build;

/// The releases of Debian that the package is for.
const SUITES: [(&str, &str); 2] = [("bookworm", "Debian 12"), ("trixie", "Debian 13")];
/// What the package needs of a system, what looks at its units, and what pip's flwr is installed with.
const PACKAGES: &str = "--include=systemd,libgcc-s1,ca-certificates,python3-venv";

/// Takes each system through the life of the package.
pub(super) fn check(older: &Path, now: &Path) -> Result<()> {
    for (suite, name) in SUITES {
        let folder = work().join("debian").join(suite);
        unpack(&kept(suite)?, &folder)?;
        Root::Whole(folder.clone())
            .live(older, now)
            .with_context(|| name.to_owned())?;
        fs::remove_dir_all(&folder)?;
        println!(
            "{name}: installed, upgraded, removed and purged by apt; its systemd takes the units; a first run"
        );
    }
    Ok(())
}

/// The archive of a system, fetched the first time.
fn kept(suite: &str) -> Result<PathBuf> {
    let folder = build::target().join("debian");
    let archive = folder.join(format!("{suite}-python.tar"));
    if !archive.is_file() {
        println!("Fetching {suite} ...");
        fs::create_dir_all(&folder)?;
        let unfinished = folder.join(format!("{suite}-new.tar"));
        let mut fetch = Command::new("mmdebstrap");
        fetch.args(["--quiet", "--variant=apt", PACKAGES, suite]);
        build::said(fetch.arg(&unfinished)).context("apt install mmdebstrap")?;
        fs::rename(&unfinished, &archive)?;
    }
    Ok(archive)
}

fn unpack(archive: &Path, to: &Path) -> Result<()> {
    tree::empty(to)?;
    let mut unpack = Command::new("tar");
    unpack.args([
        "--extract",
        "--numeric-owner",
        "--same-permissions",
        "--file",
    ]);
    build::said(unpack.arg(archive).arg("--directory").arg(to)).map(drop)
}
