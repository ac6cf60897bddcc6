//! Python and pip's flwr, for the images that run apps: a small Debian by `mmdebstrap`, with an environment
//! of the packages in `packaging/images/requirements.txt`.
//!
//! Debian, and not an interpreter of a wheel: people add what their apps need by `apt` and `pip`, and security
//! updates come to both. Packages of Python are fetched here, by their hashes, so that the tree needs no network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::files;
use crate::dist::{tools as packers, tree};
use crate::support::{build, tools};

/// The folder of the environment's programs on PATH, after ours and before Debian's.
pub(super) const PATH: &str = "/opt/flower/bin:";
/// Debian 13.
const SUITE: &str = "trixie";
const MIRROR: &str = "http://deb.debian.org/debian";
/// The Python of that Debian.
const PYTHON: &str = "3.13";
/// The systems of wheels that Debian 13 takes.
const PLATFORMS: [&str; 3] = [
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_28_x86_64",
];
const PACKAGES: &str = "ca-certificates,python3,python3-venv";
/// What nobody reads in a container. Licences stay.
const LEFT_OUT: [&str; 5] = [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
];
/// What is done in the tree once its packages are there: `$1` is the tree, `/wheels` has the packages of Python.
///
/// Compiled modules keep the hash of their source, and are not compared with it: times differ, and a root
/// that is read-only takes no others. Programs with the rights of their owner are none that an app needs.
const STEPS: [&str; 6] = [
    "chroot \"$1\" python3 -m venv /opt/flower",
    "chroot \"$1\" /opt/flower/bin/python -m pip --isolated install --quiet --no-input --disable-pip-version-check \
     --no-cache-dir --no-index --no-compile --no-deps --require-hashes --find-links /wheels -r /wheels/requirements.txt",
    "chroot \"$1\" /opt/flower/bin/python -m compileall -q -f --invalidation-mode unchecked-hash \
     /opt/flower/lib /usr/lib/python3 /usr/lib/python3.13",
    "find \"$1\" -xdev -type f -perm /6000 -exec chmod a-s {} +",
    "rm -rf \"$1/wheels\" \"$1/etc/hostname\" \"$1/etc/resolv.conf\" \"$1/var/cache/ldconfig/aux-cache\"",
    "rm -rf \"$1\"/var/cache/debconf/*-old \"$1\"/var/log/*",
];

/// Why this machine makes no such images, if it does not.
pub(super) fn hindrance() -> Option<&'static str> {
    (!tools::is_there("mmdebstrap")).then_some("mmdebstrap is missing: apt install mmdebstrap")
}

/// Makes the tree in an empty folder, and says in which archive the tree is.
pub(super) fn tree(stage: &Path, epoch: &str) -> Result<PathBuf> {
    let wheels = stage.join("wheels");
    fetch(&wheels)?;
    let tar = stage.join("python.tar");
    // The modes of what Python writes depend on the umask.
    let mut make = Command::new("/bin/sh");
    make.args(["-c", "umask 022; exec mmdebstrap \"$@\"", "mmdebstrap"]);
    make.args(["--quiet", "--variant=minbase", "--format=tar"]);
    // Engines make the devices of a container.
    make.args(["--skip=output/dev", "--include", PACKAGES]);
    make.args(LEFT_OUT.map(|path| format!("--dpkgopt={path}")));
    let copy = format!("copy-in {} /", wheels.display());
    let users = [(files::user(), "passwd"), (files::group(), "group")]
        .map(|(line, file)| format!("echo '{line}' >> \"$1/etc/{file}\""));
    let steps = std::iter::once(copy)
        .chain(STEPS.map(str::to_owned))
        .chain(users);
    make.args(steps.map(|step| format!("--customize-hook={step}")));
    make.arg(SUITE).arg(&tar).arg(MIRROR);
    make.env("SOURCE_DATE_EPOCH", epoch)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        // mmdebstrap and its tools stand in folders of root's too.
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
    build::succeed(&mut make)?;
    Ok(tar)
}

/// Fetches the packages of Python, each by its hash, beside their list.
fn fetch(wheels: &Path) -> Result<()> {
    let list = build::root().join("packaging/images/requirements.txt");
    let mut pip = packers::pack()?;
    pip.args(["-m", "pip", "download", "--quiet", "--no-input"]);
    pip.args(["--disable-pip-version-check", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary=:all:"]);
    pip.args(["--python-version", PYTHON, "--implementation", "cp"]);
    pip.args(
        PLATFORMS
            .iter()
            .flat_map(|platform| ["--platform", platform]),
    );
    pip.arg("--dest")
        .arg(wheels)
        .arg("--requirement")
        .arg(&list);
    build::succeed(&mut pip)?;
    tree::add(&list, &wheels.join("requirements.txt"), 0o644)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::support::{build, flower};

    #[test]
    fn the_images_have_the_flwr_that_the_matrix_has_passed() {
        let list = build::root().join("packaging/images/requirements.txt");
        let list = fs::read_to_string(list).unwrap();
        let flwr = format!("flwr=={} ", flower::RELEASE);
        assert!(
            list.lines().any(|line| line.starts_with(&flwr)),
            "no {flwr} in {list}"
        );
    }
}
