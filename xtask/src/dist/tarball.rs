//! The tarball with static programs, for machines without pip, apt or any library.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::artefacts::Pack;
use super::source::VERSION;
use super::{programs, tools, tree, work};
use crate::support::build;

/// The name of the tarball's only folder, and of the tarball itself before its ending.
const NAME: &str = "flower-daemons";
/// What the folder says of itself.
const README: &str = "\
The programs of a Flower federation: flower-superlink, flower-supernode and flwr, for any Linux on
x86-64. They need no library. Put the folder where you like; programs find each other in the folder.

    bin/flwrd superlink --help            runs a program by name
    eval \"$(bin/flwrd env)\"               puts the programs first on PATH
    bin/flwrd which                       tells whose programs PATH finds

Apps run with pip's flwr: the daemons look for it on PATH, and `flwr up` installs it.
";

/// Packs the tarball, and says where the tarball is.
pub(super) fn make(from: &Pack) -> Result<PathBuf> {
    let stage = work().join("tarball");
    tree::empty(&stage)?;
    let name = format!("{NAME}-{VERSION}-x86_64-linux");
    let folder = stage.join(&name);
    tree::fill(
        &folder.join("bin"),
        &folder,
        &from.standalone,
        &from.standalone,
    )?;
    tree::write(&folder.join("README"), README)?;
    for file in ["LICENSE", "CHANGELOG.md"] {
        tree::add(&build::root().join(file), &folder.join(file), 0o644)?;
    }
    tree::add(&from.notices, &folder.join("THIRD-PARTY.md"), 0o644)?;
    tree::set_modes(&folder)?;
    let archive = stage.join(format!("{name}.tar"));
    let mut pack = Command::new("tar");
    pack.args(["--create", "--format=ustar", "--sort=name", "--file"]);
    pack.arg(&archive).arg("--directory").arg(&stage);
    pack.args(["--owner=0", "--group=0", "--numeric-owner"]);
    pack.arg(format!("--mtime=@{}", from.epoch)).arg(&name);
    build::succeed(&mut pack)?;
    tree::compress(&archive)?;
    Ok(stage.join(format!("{name}.tar.gz")))
}

/// Unpacks a tarball into a folder, without the tarball's own folder.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut unpack = Command::new("tar");
    unpack.arg("--extract").arg("--file").arg(archive);
    unpack.args(["--strip-components=1", "--directory"]);
    build::succeed(unpack.arg(folder))
}

/// Unpacks a tarball into an empty folder, and starts each program by its name.
pub(super) fn check(archive: &Path, folder: &Path) -> Result<()> {
    tree::empty(folder)?;
    unpack(archive, folder)?;
    for word in programs::WORDS {
        let mut flwrd = Command::new(folder.join("bin/flwrd"));
        tools::says_version(flwrd.args([word, "--version"]))?;
    }
    println!("the tarball is unpacked, and its programs start");
    Ok(())
}
