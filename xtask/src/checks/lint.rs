//! `cargo xtask lint`: refuses tracked files that are too large or binary, Rust files with too many
//! lines, names where they do not belong (`imports`), promises without a test (`proofs`), tests of
//! releases that no environment is made for (`environments`), links that lead nowhere (`documents`),
//! and a docs/interop.md that is not what tests/interop.json gives. Large and binary files are mostly
//! committed by accident, and stay in the history for ever. A long Rust file has more than one
//! subject.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::{documents, environments, imports, interop, proofs};
use crate::support::build;

/// Bytes of the largest file that needs no reason. The largest today is `Cargo.lock`, with 80 KB.
const LARGEST: u64 = 256 * 1024;
/// Binary files that belong here, with their reason.
const BINARY: [(&str, &str); 1] = [(
    "crates/flwr-core/testdata/fab/mini.zip",
    "a bundle as Python's zipfile writes bundles",
)];
/// The folder of the corpora for the fuzz targets: inputs as peers send them, which are binary.
/// `cargo xtask fuzz` keeps each corpus small.
const CORPORA: &str = "fuzz/corpus";
/// Files over [`LARGEST`] that belong here, with their reason.
const LARGE: [(&str, &str); 0] = [];

/// Lines of the longest Rust file.
const LONGEST: usize = 400;

/// `cargo xtask lint`
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Looks at each file that git tracks. The exit code is failure if a file does not belong here.
pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    let root = build::root();
    let files = tracked(&root)?;
    let mut problems = unused(&files);
    problems.extend(imports::problems(&root, &files)?);
    problems.extend(imports::unformatted(&root, &files)?);
    problems.extend(proofs::missing(&root, &files)?);
    problems.extend(documents::problems(&root, &files)?);
    problems.extend(environments::missing(&root, &files));
    problems.extend(interop::problem(&root)?);
    for file in &files {
        problems.extend(problem(&root, file)?);
    }
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        println!(
            "{} tracked files are small text, or listed; no Rust file has over {LONGEST} lines",
            files.len()
        );
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "error: split a long Rust file. `git rm --cached` takes a large or binary file out; a file \
         that belongs here is listed, with its reason, in xtask/src/checks/lint.rs. A name goes to \
         the room that may use it (xtask/src/checks/imports.rs), and a release that tests name \
         into the lists of xtask/src/checks/test.rs"
    );
    Ok(ExitCode::FAILURE)
}

/// The files in git's index, relative to the workspace.
pub(super) fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root).args(["ls-files", "-z"]);
    let shown = build::show(&git);
    let listed = git
        .output()
        .with_context(|| format!("{shown} does not start: install git"))?;
    if !listed.status.success() {
        let said = String::from_utf8_lossy(&listed.stderr).into_owned();
        bail!("{shown} failed: {}", said.trim());
    }
    let names = listed.stdout.split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    Ok(names.map(|name| OsStr::from_bytes(name).into()).collect())
}

/// Entries of the lists whose file is gone: each would let another file of its name in.
fn unused(files: &[PathBuf]) -> Vec<String> {
    let listed = BINARY.iter().chain(&LARGE);
    let gone = listed.filter(|(file, _)| !files.iter().any(|tracked| tracked == Path::new(file)));
    gone.map(|(file, _)| format!("{file}: listed in xtask/src/checks/lint.rs, but not tracked"))
        .collect()
}

/// Why a file does not belong here, if it does not.
fn problem(root: &Path, file: &Path) -> Result<Option<String>> {
    let path = root.join(file);
    let shown = file.display();
    // A file that was removed, but not yet from the index, and what a link names, do not count.
    let Ok(found) = fs::symlink_metadata(&path) else {
        return Ok(None);
    };
    if !found.is_file() {
        return Ok(None);
    }
    if found.len() > LARGEST && !is_listed(&LARGE, file) {
        let kilobytes = found.len().div_ceil(1024);
        let limit = LARGEST / 1024;
        return Ok(Some(format!("{shown}: {kilobytes} KB, over {limit} KB")));
    }
    let content = fs::read(&path).with_context(|| shown.to_string())?;
    if is_binary(&content) && !is_listed(&BINARY, file) && !file.starts_with(CORPORA) {
        return Ok(Some(format!("{shown}: a binary file")));
    }
    if let Some(lines) = too_long(file, &content) {
        return Ok(Some(format!("{shown}: {lines} lines, over {LONGEST}")));
    }
    Ok(None)
}

/// The number of lines of a Rust file that has too many.
fn too_long(file: &Path, content: &[u8]) -> Option<usize> {
    let is_rust = file.extension().is_some_and(|extension| extension == "rs");
    let lines = content.iter().filter(|byte| **byte == b'\n').count();
    (is_rust && lines > LONGEST).then_some(lines)
}

fn is_listed(list: &[(&str, &str)], file: &Path) -> bool {
    list.iter().any(|(listed, _)| file == Path::new(listed))
}

/// Whether a content is no UTF-8 text.
fn is_binary(content: &[u8]) -> bool {
    content.contains(&0) || std::str::from_utf8(content).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::build::succeed;

    fn repository(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for arguments in [&["init", "--quiet"][..], &["add", "--all"]] {
            let mut git = std::process::Command::new("git");
            succeed(git.current_dir(root.path()).args(arguments)).unwrap();
        }
        root
    }

    fn problems(root: &Path) -> Vec<String> {
        let files = tracked(root).unwrap();
        let problems = files.iter().filter_map(|file| problem(root, file).unwrap());
        problems.collect()
    }

    #[test]
    fn large_and_binary_files_are_refused_by_their_names() {
        let limit = usize::try_from(LARGEST).unwrap();
        let root = repository(&[
            ("a/wheel.whl", b"PK\x03\x04\0"),
            ("latin.txt", b"caf\xe9"),
            ("long.txt", &vec![b'x'; limit + 1]),
            ("as long as may be.txt", &vec![b'x'; limit]),
            ("text ü.md", "Grüße".as_bytes()),
        ]);
        let wanted = [
            "a/wheel.whl: a binary file",
            "latin.txt: a binary file",
            "long.txt: 257 KB, over 256 KB",
        ];
        assert_eq!(problems(root.path()), wanted);
    }

    #[test]
    fn long_rust_files_are_refused_and_other_long_files_are_not() {
        let lines = |count| "x\n".repeat(count).into_bytes();
        let root = repository(&[
            ("src/as_long_as_may_be.rs", &lines(LONGEST)),
            ("src/long.rs", &lines(LONGEST + 1)),
            ("src/long.txt", &lines(LONGEST + 1)),
        ]);
        assert_eq!(problems(root.path()), ["src/long.rs: 401 lines, over 400"]);
    }

    #[test]
    fn what_git_does_not_track_may_be_anything() {
        let root = repository(&[("a.txt", b"text")]);
        fs::write(root.path().join("made.bin"), b"\0").unwrap();
        fs::remove_file(root.path().join("a.txt")).unwrap();
        assert_eq!(problems(root.path()), [] as [String; 0]);
    }

    #[test]
    fn a_listed_file_is_let_in_and_must_be_there() {
        let (listed, _) = BINARY[0];
        let root = repository(&[(listed, b"PK\0")]);
        assert_eq!(problems(root.path()), [] as [String; 0]);
        let gone = unused(&[]);
        assert!(gone[0].starts_with(listed), "{gone:?}");
        let all = BINARY.iter().chain(&LARGE);
        let all: Vec<_> = all.map(|(file, _)| PathBuf::from(file)).collect();
        assert_eq!(unused(&all), [] as [String; 0]);
    }
}
