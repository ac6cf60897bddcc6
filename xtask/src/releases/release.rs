//! `cargo xtask release X.Y.Z`: the version in its one place, the changelog, the checks, and what to tag.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::support::build;

/// Where the version stands.
const MANIFEST: &str = "Cargo.toml";
const CHANGELOG: &str = "CHANGELOG.md";
/// The section for what is not released.
const UNRELEASED: &str = "## [Unreleased]\n";

/// `cargo xtask release`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The new version, after the current one. CONTRIBUTING.md tells what each number promises.
    #[arg(value_name = "X.Y.Z")]
    version: Version,

    /// Change the files, and leave the checks to the caller.
    #[arg(long)]
    no_checks: bool,
}

/// Changes the files, runs the checks and prints the rest.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let root = build::root();
    refuse_changes(&root)?;
    let version = args.version;
    edit(&root.join(MANIFEST), |text| with_version(text, version))?;
    let day = today()?;
    edit(&root.join(CHANGELOG), |text| {
        with_section(text, version, &day)
    })?;
    renew_locks()?;
    if !args.no_checks {
        let mut checks = Command::new(root.join(".ci/run"));
        build::succeed(&mut checks).context(
            "the files are changed, and the release is not made: mend what failed, or take the changes back with `git checkout .`",
        )?;
    }
    println!("the files of {version} are changed. What is left:");
    for line in [
        format!("git commit --all --message 'Release {version}'"),
        format!("git tag --sign v{version} --message 'Release {version}'"),
        format!("git push origin HEAD v{version}"),
    ] {
        println!("  {line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A version, as Semantic Versioning has it, without parts behind the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u32; 3]);

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            let is_plain = part.len() == 1 || !part.starts_with('0');
            part.parse()
                .ok()
                .filter(|_| is_plain && !part.starts_with('+'))
        };
        let parts: Option<Vec<u32>> = text.split('.').map(number).collect();
        parts
            .and_then(|parts| parts.try_into().ok())
            .map(Self)
            .ok_or_else(|| "three numbers with dots between are expected, such as 0.2.0".to_owned())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// A release is what git has, and nothing else.
fn refuse_changes(root: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["status", "--porcelain"]);
    let told = git.output().context("git does not start: install git")?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    if !told.is_empty() {
        bail!("the work tree has changes: commit them, or take them back\n{told}");
    }
    Ok(())
}

fn edit(path: &Path, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| shown.clone())?;
    let changed = change(&text).with_context(|| shown.clone())?;
    fs::write(path, changed).with_context(|| shown)
}

/// The manifest of the workspace with another version.
fn with_version(manifest: &str, version: Version) -> Result<String> {
    let (before, after) = manifest
        .split_once("[workspace.package]\nversion = \"")
        .context("no version stands first in [workspace.package]")?;
    let (current, rest) = after.split_once('"').context("the version has no end")?;
    let current: Version = current.parse().map_err(anyhow::Error::msg)?;
    if version <= current {
        bail!("{version} does not come after {current}, the version of now");
    }
    Ok(format!(
        "{before}[workspace.package]\nversion = \"{version}\"{rest}"
    ))
}

/// The changelog with a section for what is released.
fn with_section(changelog: &str, version: Version, day: &str) -> Result<String> {
    let (before, after) = changelog
        .split_once(UNRELEASED)
        .context("there is no section [Unreleased]")?;
    let section = after.split("\n## ").next().unwrap_or_default();
    if !section.lines().any(|line| line.starts_with("- ")) {
        bail!("[Unreleased] has no line: there is nothing to release");
    }
    Ok(format!(
        "{before}{UNRELEASED}\n## [{version}] - {day}\n{after}"
    ))
}

fn today() -> Result<String> {
    let told = Command::new("date").args(["-u", "+%F"]).output();
    let told = told.context("date does not start")?;
    Ok(String::from_utf8(told.stdout)?.trim().to_owned())
}

/// Both lock files name the version too.
fn renew_locks() -> Result<()> {
    for manifest in [MANIFEST, "fuzz/Cargo.toml"] {
        let mut metadata = build::cargo();
        metadata.args(["metadata", "--quiet", "--format-version", "1"]);
        metadata.args(["--manifest-path", manifest]);
        build::succeed(metadata.stdout(Stdio::null()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_three_numbers_in_their_order() {
        assert!(version("0.9.10") < version("0.10.0"));
        assert_eq!(version("1.22.3").to_string(), "1.22.3");
        for wrong in [
            "1.2",
            "1.2.3.4",
            "v1.2.3",
            "1.02.3",
            "1.2.3-rc1",
            "",
            "1..3",
            "+1.2.3",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_version_of_the_workspace_goes_up_and_nothing_else_changes() {
        let manifest = "[workspace.package]\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
            [workspace.dependencies]\nother = \"0.1.0\"\n";
        let changed = with_version(manifest, version("0.2.0")).unwrap();
        assert_eq!(changed, manifest.replacen("0.1.0", "0.2.0", 1));
        for lower in ["0.1.0", "0.0.9"] {
            let error = with_version(manifest, version(lower)).unwrap_err();
            assert!(error.to_string().contains("does not come after 0.1.0"));
        }
    }

    #[test]
    fn what_was_unreleased_gets_a_version_and_a_day() {
        let changelog = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n\n## [0.1.0] - 2026-01-01\n";
        let changed = with_section(changelog, version("0.2.0"), "2026-12-01").unwrap();
        let expected = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n\
            - A thing.\n\n## [0.1.0] - 2026-01-01\n";
        assert_eq!(changed, expected);
        let error = with_section(&changed, version("0.3.0"), "2026-12-02").unwrap_err();
        assert!(error.to_string().contains("nothing to release"), "{error}");
    }

    /// All programs and packages have one version, which stands in one place.
    #[test]
    fn no_package_has_a_version_of_its_own() {
        let root = build::root();
        let manifest = fs::read_to_string(root.join(MANIFEST)).unwrap();
        with_version(&manifest, version("999.0.0")).unwrap();
        let changelog = fs::read_to_string(root.join(CHANGELOG)).unwrap();
        assert!(changelog.contains(UNRELEASED));
        let crates = fs::read_dir(root.join("crates")).unwrap().flatten();
        let members = crates.map(|entry| entry.path());
        for member in members.chain([root.join("xtask"), root.join("tests")]) {
            let manifest = fs::read_to_string(member.join("Cargo.toml")).unwrap();
            let has_ours = manifest.contains("\nversion.workspace = true\n");
            assert!(has_ours, "{}", member.display());
        }
    }
}
