//! `cargo xtask dist --twice`: the artefacts are made again by another user, elsewhere and on another
//! day, and each is the same file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::source::Source;
use super::{programs, sums, tools, tree, work};
use crate::support::{build, tools::is_there};

/// What is otherwise for the second build. Cargo finds its own folder by `CARGO_HOME`.
const VARIABLES: [(&str, &str); 5] = [
    ("TZ", "Pacific/Chatham"),
    ("LC_ALL", "C"),
    ("LANG", "tr_TR.UTF-8"),
    ("USER", "somebody"),
    ("HOSTNAME", "elsewhere"),
];

/// Makes the artefacts of this commit again, and compares them with those in a folder.
pub(super) fn check(first: &Path, source: &Source) -> Result<()> {
    if source.is_changed() {
        bail!("--twice builds the commit a second time: commit the changes first, or stash them");
    }
    let stage = work().join("twice");
    tree::empty(&stage)?;
    let tree = clone(&stage)?;
    let homes = [
        ("CARGO_HOME", programs::home_of("CARGO_HOME", ".cargo")?),
        ("RUSTUP_HOME", programs::home_of("RUSTUP_HOME", ".rustup")?),
    ];
    println!("Building it again in {} ...", tree.display());
    let second = stage.join("made");
    let place = Elsewhere {
        tree,
        stage,
        homes,
        is_another_user: build::said(another_user().arg("true")).is_ok(),
    };
    if !place.is_another_user {
        println!("SKIPPED: another user, since unshare is not allowed");
    }
    if !is_there(FAKETIME) {
        println!("SKIPPED: another date, since faketime is missing");
    }
    let mut xtask = place.command(build::cargo().get_program(), false);
    build::succeed(xtask.args(["build", "--quiet", "--package", "xtask"]))?;
    let mut again = place.command(place.tree.join("target/debug/xtask").as_os_str(), true);
    again.args(["dist", "--unused", "--to"]);
    build::succeed(again.arg(&second))?;
    let others = sums::differences(first, &second)?;
    let Some(name) = others.first() else {
        println!("Built twice: every artefact is the same file.");
        return Ok(());
    };
    tell(&first.join(name), &second.join(name));
    bail!("{} differ when they are built again", others.join(", "));
}

/// A clone of the repository at this commit, in a folder whose path has another length. Its tools and Python
/// environments are those of this work tree: they take longer to make than the programs.
fn clone(stage: &Path) -> Result<PathBuf> {
    let tree = stage.join("a-much-longer-name-of-the-folder");
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--shared"]);
    build::succeed(clone.arg(build::root()).arg(&tree))?;
    let (ours, theirs) = (build::target(), tree.join("target"));
    fs::create_dir_all(theirs.join("tools"))?;
    symlink(ours.join("python"), theirs.join("python"))?;
    for tool in tools::installed() {
        let name = tool.file_name().unwrap_or_default();
        symlink(&tool, theirs.join("tools").join(name))?;
    }
    Ok(tree)
}

/// What gives a program another date.
const FAKETIME: &str = "faketime";

/// The place of the second build.
struct Elsewhere {
    tree: PathBuf,
    stage: PathBuf,
    homes: [(&'static str, PathBuf); 2],
    is_another_user: bool,
}

impl Elsewhere {
    /// A program in the clone, for another user (if the system allows that) and with another umask. A program
    /// that packs sees a day that is forty days on (if `faketime` is there); rustc would stand still.
    fn command(&self, program: &OsStr, packs: bool) -> Command {
        let mut command = match self.is_another_user {
            true => another_user(),
            false => Command::new("env"),
        };
        command.args(["sh", "-c", "umask 0077; exec \"$@\"", "sh"]);
        if packs && is_there(FAKETIME) {
            command.args([FAKETIME, "-f", "+40d"]);
        }
        command.arg(program);
        command.current_dir(&self.tree).envs(VARIABLES);
        command.envs(self.homes.clone()).env("HOME", &self.stage);
        command.env("CARGO", build::cargo().get_program());
        command.env_remove("CARGO_TARGET_DIR");
        command
    }
}

fn another_user() -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-user=4711", "--map-group=4711"]);
    unshare
}

/// Shows where two files differ, if the machine has what shows it.
fn tell(first: &Path, second: &Path) {
    let compare = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).args([first, second]);
        let _ = command.status();
    };
    if is_there("diffoscope") {
        compare("diffoscope", &["--max-report-size", "20000"]);
    } else {
        println!("The first byte (install diffoscope to see what it belongs to):");
        compare("cmp", &[]);
    }
    let size = |file: &Path| fs::metadata(file).map_or(0, |metadata| metadata.len());
    println!("{} and {} bytes", size(first), size(second));
}
