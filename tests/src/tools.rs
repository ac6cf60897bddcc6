//! Other programs of the machine, as users of our commands have them: openssl, ssh-keygen, sh.

use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Instant;

use crate::PATIENCE;

/// Runs a command line, in `folder`, to its end, and gives what it printed.
///
/// # Panics
/// If it cannot be started, or fails.
#[track_caller]
pub fn run(folder: &Path, line: &str) -> String {
    let mut words = words(line);
    let program = words.remove(0);
    let mut command = Command::new(&program);
    command.args(words).current_dir(folder);
    let output = output_of(&mut command).unwrap_or_else(|error| {
        panic!("{program}: {error}: `cargo xtask test` sees to it that it is there")
    });
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}:\n{text}{errors}");
    text
}

/// Runs it, once nobody writes to its file: one that was just copied is still open in a process
/// that another test forks at that moment, until that has started its own program.
fn output_of(command: &mut Command) -> io::Result<Output> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match command.output() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy
                    && Instant::now() < deadline =>
            {
                thread::yield_now();
            }
            outcome => return outcome,
        }
    }
}

/// The words of a command line as documentation shows it, over several lines if it is long.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    line.replace("\\\n", " ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}
