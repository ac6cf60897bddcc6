//! The commit that is built: artefacts carry its name and its time.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

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
        Self::of(&build::root())
    }

    fn of(tree: &Path) -> Result<Self> {
        let git = |arguments: &[&str]| git(tree, arguments);
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
        let said = build::said(date.arg(format!("@{}", self.epoch)))?;
        Ok(said.trim().to_owned())
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

fn git(tree: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.current_dir(tree).args(arguments);
    let said = build::said(&mut command).context("dist builds a commit")?;
    Ok(said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_tree_with_changes_is_named_in_the_version() {
        let tree = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| git(tree.path(), arguments).unwrap();
        git(&["init", "--quiet"]);
        fs::write(tree.path().join("file"), "one").unwrap();
        git(&["add", "file"]);
        let person = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        git(&[&person[..], &["commit", "--quiet", "--message", "one"]].concat());
        let commit = git(&["rev-parse", "--short=10", "HEAD"]);
        let version = || Source::of(tree.path()).unwrap().to_string();
        assert_eq!(version(), format!("version {VERSION}, commit {commit}"));
        fs::write(tree.path().join("file"), "two").unwrap();
        assert!(version().ends_with(&format!("{commit}-changed")));
    }

    #[test]
    fn a_folder_without_a_commit_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let error = format!("{:#}", Source::of(tree.path()).err().unwrap());
        assert!(error.contains("dist builds a commit"), "{error}");
    }
}
