//! Build support for the programs: the commit in `--version`.

#![expect(clippy::print_stdout, reason = "cargo reads instructions from stdout")]

use std::env;
use std::process::Command;

/// Sets `FLWR_COMMIT` for the crate whose build script calls this.
///
/// Only release builds carry a commit. Other builds would compile anew after each commit. The
/// variable `FLWR_COMMIT` names the commit where there is no repository, as in a container.
pub fn set_commit() {
    println!("cargo::rerun-if-env-changed=FLWR_COMMIT");
    let commit = if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        given()
            .or_else(head)
            .unwrap_or_else(|| "unknown".to_owned())
    } else {
        "development".to_owned()
    };
    println!("cargo::rustc-env=FLWR_COMMIT={commit}");
}

fn given() -> Option<String> {
    env::var("FLWR_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty())
}

fn head() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // Each commit changes this file.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "--short=10", "HEAD"])
}
