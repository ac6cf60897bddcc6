//! The releases that the end-to-end tests name: `cargo xtask test` makes an environment of each.
//! On the machine of a developer an environment may be there that no script makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::test;

/// What `cargo xtask test` runs with real peers; the matrix has environments of its own.
const FOLDERS: [&str; 2] = ["tests/tests/e2e", "tests/tests/harness"];
/// A test that has environments of its own: `cargo xtask upgrade` makes them.
const OWN: &str = "tests/tests/harness/upgrade.rs";
/// How a test names a release, before the number of its minor version.
const NAME: &str = "Release::V1_";

/// A line for each release that a test names and that no environment is made for.
pub(super) fn missing(root: &Path, files: &[PathBuf]) -> Vec<String> {
    let made: BTreeSet<_> = test::releases().map(|flower| flower.variable()).collect();
    let mut problems = Vec::new();
    let is_test = |file: &&PathBuf| FOLDERS.iter().any(|folder| file.starts_with(folder));
    for file in files.iter().filter(is_test) {
        if file == Path::new(OWN) {
            continue;
        }
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        let absent = named(&text).into_iter().filter(|minor| {
            let variable = format!("FLWR_PYTHON_1_{minor}");
            !made.contains(&variable)
        });
        problems.extend(absent.map(|minor| {
            let file = file.display();
            format!("{file}: `cargo xtask test` makes no environment of flwr 1.{minor}")
        }));
    }
    problems
}

/// The minor versions of the releases that a test names.
fn named(text: &str) -> BTreeSet<&str> {
    let rests = text.split(NAME).skip(1);
    rests
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            &rest[..end.unwrap_or(rest.len())]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_a_test_names_has_an_environment() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDERS[0]);
        fs::create_dir_all(&folder).unwrap();
        let text = "plan(Release::V1_22, Release::V1_7); [Release::V1_7]";
        fs::write(folder.join("a.rs"), text).unwrap();
        let file = PathBuf::from(FOLDERS[0]).join("a.rs");
        let expected = format!(
            "{}: `cargo xtask test` makes no environment of flwr 1.7",
            file.display()
        );
        assert_eq!(missing(root.path(), &[file]), [expected]);
    }
}
