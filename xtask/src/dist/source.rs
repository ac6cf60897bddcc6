//! The commit that is built: artefacts carry its name and its time.

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::support::build;

/// The version of all crates.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The mark of a commit whose files were changed since.
const CHANGED: &str = "-changed";

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
            commit += CHANGED;
        }
        let epoch = git(&["log", "-1", "--format=%ct"])?;
        Ok(Self { commit, epoch })
    }

    /// The commit's time, as RFC 3339 has it.
    pub(super) fn time(&self) -> Result<String> {
        let mut date = Command::new("date");
        date.args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date"]);
        let output = date.arg(format!("@{}", self.epoch)).output()?;
        if !output.status.success() {
            bail!("`date` does not know the time {}", self.epoch);
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Whether files were changed since the commit.
    pub(super) fn is_changed(&self) -> bool {
        self.commit.ends_with(CHANGED)
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
