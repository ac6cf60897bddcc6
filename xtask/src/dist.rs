//! `cargo xtask dist`: the files by which people install the programs, and their check sums.
//!
//! - `source` the commit that is built
//! - `programs` the programs, built for other machines than this one
//! - `tree` where an installation keeps them
//! - `wheel` the wheel for pip
//! - `place` the folder that they are put into
//! - `deb` the package for Debian, and `debian` its life in a root of its own
//! - `installed` installations whose packages are replaced while their daemons run
//! - `tools` what makes the artefacts, each in a fixed version
//! - `sums` the check sums, signed and verified
//! - `smoke` the artefacts made from the programs of the tests, installed and used

mod deb;
mod debian;
pub(crate) mod installed;
mod place;
mod programs;
mod smoke;
mod source;
mod sums;
mod tools;
mod tree;
mod wheel;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

use crate::support::build;
use place::place;
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
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "sign", "smoke", "debian"])]
    verify: Option<PathBuf>,
    /// With --verify: check the signature too, by this list of signers (`allowed_signers` of ssh-keygen).
    #[arg(long, value_name = "FILE", requires = "verify")]
    signers: Option<PathBuf>,
    /// Make artefacts from the programs that the tests have built, install and use them.
    #[arg(long, conflicts_with_all = ["to", "sign"])]
    smoke: bool,
    /// Make the Debian package from those programs, and take it through its life in whole systems of Debian
    /// 12 and 13: installed, upgraded (to the package FILE, if it is given), removed and purged. Needs root
    /// and mmdebstrap.
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with_all = ["to", "sign", "smoke"])]
    debian: Option<Option<PathBuf>>,
}

/// Makes the artefacts, or checks them.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(folder) = &args.verify {
        return sums::verify(folder, args.signers.as_deref());
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
    println!("Building {source} ...");
    let flwrd = programs::flwrd(&source)?;
    let linked = programs::linked(&source)?;
    let mb = programs::size(&linked)? as f64 / 1e6;
    println!("{mb:6.1} MB  the programs in the wheel together");
    let wheel = wheel::make(&linked, &flwrd, &source.epoch)?;
    tools::audit(&wheel)?;
    let made = place(&wheel, &to)?;
    let contents = deb::Contents {
        programs: &linked,
        flwrd: &flwrd,
        glibc: programs::GLIBC,
        version: source::VERSION,
        compression: &["-Zxz"],
        epoch: &source.epoch,
    };
    match deb::hindrance() {
        None => drop(place(&contents.make()?, &to)?),
        Some(reason) => println!("SKIPPED: the Debian package: {reason}"),
    }
    sums::write(&to, source::VERSION)?;
    if let Some(key) = &args.sign {
        sums::sign(&to, key)?;
    }
    let mb = fs::metadata(&made)?.len() as f64 / 1e6;
    println!("{mb:6.1} MB  {}", made.display());
    Ok(ExitCode::SUCCESS)
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
