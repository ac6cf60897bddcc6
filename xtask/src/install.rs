//! `cargo xtask install`: the programs where cargo puts those that people install.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::support::build::{self, Profile};

/// What somebody who runs federations needs, with the older commands that guides still name.
const PROGRAMS: [&str; 6] = [
    "flwr",
    "flwrd",
    "flower-superlink",
    "flower-supernode",
    "flower-client-app",
    "flower-server-app",
];

/// `cargo xtask install`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to put them; cargo's own folder for programs if absent.
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Build without optimisations: sooner done, and slower.
    #[arg(long)]
    debug: bool,
}

/// Builds the programs and copies them to where a shell finds them.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let profile = if args.debug {
        Profile::Dev
    } else {
        Profile::Release
    };
    let built = build::programs(profile)?;
    let folder = match &args.to {
        Some(folder) => folder.clone(),
        None => cargo_bin().context("neither CARGO_HOME nor HOME is set: give --to DIR")?,
    };
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for program in PROGRAMS {
        place(&built.join(program), &folder.join(program))?;
    }
    println!("{} are in {}", PROGRAMS.join(", "), folder.display());
    if let Some(other) = first_on_path(PROGRAMS[0]).filter(|first| *first != folder) {
        println!(
            "but `{}` on your PATH is the one in {}: put {} before it",
            PROGRAMS[0],
            other.display(),
            folder.display()
        );
    } else if first_on_path(PROGRAMS[0]).is_none() {
        println!("which is not on your PATH: add it");
    }
    Ok(ExitCode::SUCCESS)
}

fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("bin"))
}

/// Beside its place first, then moved there: one that runs is not written over.
fn place(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::copy(from, &beside)
        .and_then(|_| fs::rename(&beside, to))
        .with_context(|| format!("{} cannot be written", to.display()))
}

fn first_on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find(|folder| folder.join(program).is_file())
}
