//! What SECURITY.md promises: each promise names a test, and each named test must be there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The document.
const DOCUMENT: &str = "SECURITY.md";
/// A test's name has so many words at least. Flags and file names have fewer.
const WORDS: usize = 4;

/// The tests that the document names and that are in no tracked file.
pub(super) fn missing(root: &Path, files: &[PathBuf]) -> Result<Vec<String>> {
    let path = root.join(DOCUMENT);
    let document = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let mut wanted = named(&document);
    for file in files.iter().filter(|file| is_rust(file)) {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        wanted.retain(|test| !text.contains(&format!("fn {test}(")));
    }
    let told = |test| format!("{DOCUMENT}: there is no test {test}");
    Ok(wanted.into_iter().map(told).collect())
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// The names of tests in a document: they stand in backquotes.
fn named(document: &str) -> BTreeSet<&str> {
    let quoted = document.split('`').skip(1).step_by(2);
    let is_test = |name: &&str| {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.chars().all(is_name) && name.split('_').count() >= WORDS
    };
    quoted.filter(is_test).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_stand_in_backquotes() {
        let document = "`--flag`, `a_test_that_proves_it`, a_word_that_is_not_quoted and `a_b`";
        assert_eq!(named(document), BTreeSet::from(["a_test_that_proves_it"]));
    }

    #[test]
    fn a_test_that_is_not_there_is_told() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        write(DOCUMENT, "`a_test_that_is_there` `a_test_that_is_gone`");
        write("tests.rs", "fn a_test_that_is_there() {}");
        let missing = missing(root.path(), &[PathBuf::from("tests.rs")]).unwrap();
        assert_eq!(
            missing,
            ["SECURITY.md: there is no test a_test_that_is_gone"]
        );
    }
}
