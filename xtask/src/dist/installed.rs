//! Installations of packages, one for each daemon of a federation, whose version can be replaced while the
//! daemon runs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::artefacts::Pack;
use super::source::{Source, VERSION};
use super::{deb, debian, images, tree, wheel, work};
use crate::support::{build, python};

/// The packages of the earlier programs, and of those of now.
const PACKAGES: [&str; 2] = ["earlier", "now"];
/// The script that installs: `install DAEMON earlier|now`.
const INSTALL: &str = "install";

/// How programs come to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Packaging {
    /// By pip, into an environment.
    Wheel,
    /// By dpkg, into a root.
    Deb,
    /// By another container of another image. Apps are outside: they would end with the container.
    Image,
}

/// Packs both builds, and installs the earlier one for each daemon. Gives the folder with the script and
/// the installations. In each of these `flwrd` leads to the installed flwrd.
pub(crate) fn prepare(by: Packaging, builds: [&Path; 2], daemons: &[String]) -> Result<PathBuf> {
    let _lock = super::lock()?;
    let folder = work().join("installed");
    tree::empty(&folder)?;
    let source = Source::here()?;
    for (name, built) in PACKAGES.into_iter().zip(builds) {
        let programs = folder.join("programs").join(name);
        tree::strip(built, &programs)?;
        let package = by.pack(&programs, &source, name == PACKAGES[0])?;
        let kept = folder
            .join(name)
            .join(package.file_name().unwrap_or_default());
        tree::add(&package, &kept, 0o644)?;
        if by == Packaging::Image {
            images::unpack(&kept, &folder.join(name))?;
        }
    }
    let script = folder.join(INSTALL);
    tree::write(&script, &by.script())?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    for daemon in daemons {
        let installation = folder.join(daemon);
        let bin = by.begin(&installation)?;
        symlink(bin.join("flwrd"), installation.join("flwrd"))?;
        build::succeed(Command::new(&script).args([daemon, PACKAGES[0]]))?;
    }
    Ok(folder)
}

impl Packaging {
    /// Makes the package of the programs in a folder.
    fn pack(self, programs: &Path, source: &Source, is_earlier: bool) -> Result<PathBuf> {
        let pack = Pack::of_tests(programs, source)?;
        let hindrance = match self {
            Self::Wheel => None,
            Self::Deb => deb::hindrance(),
            Self::Image => images::hindrance(),
        };
        if let Some(reason) = hindrance {
            bail!("{reason}");
        }
        match self {
            Self::Wheel => wheel::make(&pack),
            Self::Deb if is_earlier => pack.deb(&debian::before(VERSION)),
            Self::Deb => pack.deb(VERSION),
            Self::Image => images::make(&pack),
        }
    }

    /// Makes an installation without any package, and says where the programs will be.
    fn begin(self, installation: &Path) -> Result<PathBuf> {
        match self {
            Self::Wheel => {
                let mut venv = Command::new(python::interpreter()?);
                build::succeed(venv.args(["-m", "venv"]).arg(installation))?;
                let bin = python::bin(installation);
                let inside = bin.strip_prefix(installation);
                Ok(inside.context("an environment without bin")?.to_owned())
            }
            Self::Deb => {
                debian::Root::bare(installation)?;
                Ok(PathBuf::from("usr/bin"))
            }
            Self::Image => {
                let bin = PathBuf::from("bin");
                images::starter(&installation.join(&bin).join("flwrd"))?;
                Ok(bin)
            }
        }
    }

    fn script(self) -> String {
        let install = match self {
            Self::Wheel => {
                "\"$here/$1/bin/python\" -m pip --quiet --disable-pip-version-check --no-input install \
                 --no-index --no-deps --force-reinstall \"$here/$2\"/*.whl"
                    .to_owned()
            }
            Self::Deb => format!(
                "dpkg --root=\"$here/$1\" {} --install \"$here/$2\"/*.deb",
                debian::FLAGS.join(" ")
            ),
            Self::Image => {
                "ln --symbolic --force --no-dereference \"../$2/flower-$(case $1 in superlink) echo superlink;; \
                 *) echo supernode;; esac)\" \"$here/$1/image\""
                    .to_owned()
            }
        };
        format!(
            "#!/bin/sh\n# {INSTALL} DAEMON {}\nhere=$(dirname \"$0\")\nexec {install}\n",
            PACKAGES.join("|")
        )
    }
}
