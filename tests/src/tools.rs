//! Other programs of the machine, as users of our commands have them: openssl, ssh-keygen, sh.

use std::path::Path;
use std::process::Command;

/// Runs a command line, in `folder`, to its end, and gives what it printed.
///
/// # Panics
/// If it cannot be started, or fails.
#[track_caller]
pub fn run(folder: &Path, line: &str) -> String {
    let mut words = words(line);
    let program = words.remove(0);
    let output = Command::new(&program)
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| {
            panic!("{program}: {error}: `cargo xtask test` sees to it that it is there")
        });
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}:\n{text}{errors}");
    text
}

/// The words of a command line as documentation shows it, over several lines if it is long.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    line.replace("\\\n", " ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}
