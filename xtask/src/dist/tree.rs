//! The files of an installation, where `flwrd` looks for them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::programs;
use crate::support::build;

/// The programs with a name on PATH, beside `flwrd`: the group's folder and the name.
pub(super) const NAMED: [(&str, &str); 3] = [
    ("flwr", "flwr"),
    ("superlink", "flower-superlink"),
    ("supernode", "flower-supernode"),
];

/// Puts the programs into folders of a prefix: `flwrd` into `bin`, the others into `libexec`, where
/// nothing of pip's is.
pub(super) fn fill(bin: &Path, prefix: &Path, programs: &Path, flwrd: &Path) -> Result<()> {
    fill_with(bin, prefix, programs, flwrd, &programs::INSTALLED)
}

/// The same with some of the programs, each with its folder.
pub(super) fn fill_with(
    bin: &Path,
    prefix: &Path,
    programs: &Path,
    flwrd: &Path,
    names: &[(&str, &str)],
) -> Result<()> {
    add(&flwrd.join("flwrd"), &bin.join("flwrd"), 0o755)?;
    let libexec = prefix.join("libexec/flower-daemons");
    for (group, name) in names {
        let folder = libexec.join(group);
        add(&programs.join(name), &folder.join(name), 0o755)?;
    }
    Ok(())
}

/// Gives programs their names in the folder with `flwrd`, where nothing of pip's is.
pub(super) fn link(bin: &Path) -> Result<()> {
    for (group, name) in NAMED {
        let program = format!("../libexec/flower-daemons/{group}/{name}");
        symlink(program, bin.join(name))
            .with_context(|| format!("{} cannot be made", bin.join(name).display()))?;
    }
    Ok(())
}

/// Copies the programs that the tests have built, without what only a debugger reads.
pub(super) fn strip(built: &Path, to: &Path) -> Result<()> {
    let names = programs::INSTALLED.into_iter().map(|(_, name)| name);
    for name in names.chain(["flwrd"]) {
        let copy = to.join(name);
        add(&built.join(name), &copy, 0o755)?;
        build::succeed(Command::new("strip").arg(&copy))?;
    }
    Ok(())
}

/// Copies a file, with a mode that does not depend on the umask.
pub(super) fn add(from: &Path, to: &Path, mode: u32) -> Result<()> {
    make_folder_of(to)?;
    fs::copy(from, to)
        .with_context(|| format!("{} cannot be copied to {}", from.display(), to.display()))?;
    fs::set_permissions(to, Permissions::from_mode(mode))?;
    Ok(())
}

fn make_folder_of(file: &Path) -> Result<()> {
    let folder = file.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Writes a file for everybody, and makes its folder.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    make_folder_of(file)?;
    fs::write(file, text)
        .and_then(|()| fs::set_permissions(file, Permissions::from_mode(0o644)))
        .with_context(|| format!("{} cannot be written", file.display()))
}

/// Makes an empty folder. What an interrupted dist left there goes.
pub(super) fn empty(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir_all(folder),
    }
    .with_context(|| folder.display().to_string())
}

/// Compresses a file as Debian does: without its name and time.
pub(super) fn compress(file: &Path) -> Result<()> {
    build::succeed(
        Command::new("gzip")
            .args(["--best", "--no-name", "--force"])
            .arg(file),
    )
}

/// Gives everything the mode that does not depend on the umask.
pub(super) fn set_modes(root: &Path) -> Result<()> {
    walk(root, &mut |path, metadata| {
        let runs = metadata.is_dir() || metadata.permissions().mode() & 0o100 != 0;
        let mode = if runs { 0o755 } else { 0o644 };
        if !metadata.is_symlink() {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        Ok(())
    })
}

/// Shows each file and folder of a tree. Links are not followed.
pub(super) fn walk(
    folder: &Path,
    show: &mut dyn FnMut(&Path, &fs::Metadata) -> Result<()>,
) -> Result<()> {
    show(folder, &folder.symlink_metadata()?)?;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        if metadata.is_dir() {
            walk(&path, show)?;
        } else {
            show(&path, &metadata)?;
        }
    }
    Ok(())
}
