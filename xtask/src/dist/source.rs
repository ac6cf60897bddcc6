//! The commit that is built: artefacts carry its name and its time.

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::support::build;

/// The version of all crates.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A state of this repository.
pub(super) struct Source {
    /// The commit, with a mark if files were changed since.
    pub(super) commit: String,
    /// The commit's time, in seconds since 1970: the time of everything in an artefact.
    pub(super) epoch: String,
}

impl Source {
    /// The state of the work tree. Files that git does not know are no part of the programs.
    pub(super) fn here() -> Result<Self> {
        let mut commit = git(&["rev-parse", "--short=10", "HEAD"])?;
        if !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() {
            commit += "-changed";
        }
        let epoch = git(&["log", "-1", "--format=%ct"])?;
        Ok(Self { commit, epoch })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {VERSION}, commit {}", self.commit)
    }
}

fn git(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.current_dir(build::root()).args(arguments);
    let output = command.output().context("git does not start")?;
    if !output.status.success() {
        bail!("{} failed: dist builds a commit", build::show(&command));
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
