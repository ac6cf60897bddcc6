//! The tarball with static programs, for machines without Python, and for systems with musl.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::programs::Programs;
use super::source::{Source, VERSION};
use super::{tree, work};
use crate::support::build;

/// Makes the tarball, and says where it is.
pub(super) fn make(programs: &Programs<'_>, source: &Source) -> Result<PathBuf> {
    let name = format!("flower-daemons-{VERSION}-x86_64-linux");
    let stage = work().join("tarball");
    tree::empty(&stage)?;
    let prefix = stage.join(&name);
    tree::fill(
        &prefix.join("bin"),
        &prefix,
        &programs.folder,
        &programs.folder,
    )?;
    for file in ["LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"] {
        tree::add(&build::root().join(file), &prefix.join(file), 0o644)?;
    }
    for unit in ["flower-superlink.service", "flower-supernode.service"] {
        let from = build::root().join("examples/systemd").join(unit);
        tree::add(&from, &prefix.join("systemd").join(unit), 0o644)?;
    }
    let archive = stage.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--format=gnu", "--mode=u+w,go-w,a+rX"])
        .arg(format!("--mtime=@{}", source.epoch))
        // gzip would write the file's name and time.
        .arg("--use-compress-program=gzip --no-name --best")
        .arg("--directory")
        .arg(&stage)
        .arg("--create")
        .arg("--file")
        .args([&archive, &PathBuf::from(name)])
        .env("LC_ALL", "C");
    build::succeed(&mut tar)?;
    Ok(archive)
}
