//! `cargo xtask dist`: the files by which people install the programs, and their check sums.
//!
//! - `source` the commit that is built
//! - `programs` the programs, built for other machines than this one
//! - `artefacts` all artefacts of the commit, packed from the programs
//! - `tree` where an installation keeps the programs
//! - `wheel` the wheel for pip
//! - `tarball` the static programs, and `bare` their use in a root without any library
//! - `deb` the package for Debian, and `debian` its life in a root of its own or in whole systems
//! - `images` the container images
//! - `first_run` the first run of the README, where an artefact is installed
//! - `place` the folder that artefacts are put into
//! - `installed` installations whose packages are replaced while their daemons run
//! - `sbom` the bill of materials, and `notices` the licences
//! - `tools` what makes the artefacts, each in a fixed version
//! - `sums` the check sums, signed and verified
//! - `smoke` the artefacts installed and used
//! - `twice` the proof that a second build gives the same files

mod artefacts;
mod bare;
mod deb;
mod debian;
mod first_run;
mod images;
pub(crate) mod installed;
mod notices;
mod place;
mod programs;
mod sbom;
mod smoke;
mod source;
mod sums;
mod tarball;
mod tools;
mod tree;
mod twice;
mod wheel;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use crate::support::build;
use artefacts::{Artefacts, Pack};
use source::Source;

/// `cargo xtask dist`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to put the files; dist/ if absent.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Sign SHA256SUMS with this SSH private key.
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Make nothing: check the files of a folder against its SHA256SUMS.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "sign", "smoke", "twice", "debian"])]
    verify: Option<PathBuf>,
    /// With --verify: check the signature too, by this list of signers (`allowed_signers` of ssh-keygen).
    #[arg(long, value_name = "FILE", requires = "verify")]
    signers: Option<PathBuf>,
    /// Do not install and use what was made.
    #[arg(long, conflicts_with = "smoke")]
    unused: bool,
    /// Make everything a second time, as another user elsewhere and on another day, and compare.
    #[arg(long, conflicts_with = "smoke")]
    twice: bool,
    /// Make artefacts from the programs that the tests have built, install and use them.
    #[arg(long, conflicts_with_all = ["to", "sign"])]
    smoke: bool,
    /// Make the container images with Python and pip's flwr too, out of today's Debian. Needs mmdebstrap.
    #[arg(long, conflicts_with_all = ["smoke", "twice", "verify"])]
    apps: bool,
    /// Make nothing: run the container images of a folder with runc, as root, and a run on them.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "sign", "smoke", "twice", "verify", "apps"])]
    play_images: Option<PathBuf>,
    /// Make the Debian package from those programs, and take it through its life in whole systems of Debian
    /// 12 and 13: installed, upgraded (to the package FILE, if it is given), removed and purged. Needs root
    /// and mmdebstrap.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[arg(conflicts_with_all = ["to", "sign", "smoke", "twice", "unused"])]
    debian: Option<Option<PathBuf>>,
}

/// Makes the artefacts, or checks them.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(folder) = &args.verify {
        return sums::verify(folder, args.signers.as_deref());
    }
    if let Some(folder) = &args.play_images {
        images::play(folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.apps {
        images::must_make_apps()?;
    }
    let _lock = lock()?;
    if args.smoke {
        return smoke::run();
    }
    if let Some(release) = &args.debian {
        return debian::in_trees(release.as_deref());
    }
    let to = args
        .to
        .clone()
        .unwrap_or_else(|| build::root().join("dist"));
    let _claimed = place::claim(&to)?;
    let source = Source::here()?;
    let (pack, made) = Artefacts::build(&source, args.apps)?;
    let made = made.place(&to)?;
    sums::write(&to, made.files())?;
    if let Some(key) = &args.sign {
        sums::sign(&to, key)?;
    }
    if !args.unused {
        check(&pack, &made)?;
    }
    if args.twice {
        twice::check(&to, &source)?;
    }
    made.tell()?;
    Ok(ExitCode::SUCCESS)
}

/// Installs and uses the artefacts as people will.
fn check(pack: &Pack, made: &Artefacts) -> Result<()> {
    let folder = work().join("used");
    tree::empty(&folder)?;
    tools::audit(&made.wheel)?;
    bare::check(&made.tarball, &folder)?;
    smoke::check(pack, made, &folder)?;
    smoke::time_first_run(&made.wheel, &folder)
}

/// The folder for what is made on the way.
fn work() -> PathBuf {
    build::target().join("dist-work")
}

/// Only one dist at a time uses the folder: the lock ends with the process.
fn lock() -> Result<File> {
    let folder = work();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let file = File::create(folder.join("lock"))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!(
            "another `cargo xtask dist` uses {}: wait for its end",
            folder.display()
        );
    }
    Ok(file)
}
