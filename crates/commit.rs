//! The build script of the programs: tells `--version` of which commit they are.
//!
//! Only release builds do: others would be built anew with each commit. `FLWR_COMMIT` names the
//! commit where there is no repository, as in a container.

#![expect(clippy::print_stdout, reason = "this is how cargo is told")]

use std::env;
use std::process::Command;

fn main() {
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
    // A file that each commit changes.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "--short=10", "HEAD"])
}
