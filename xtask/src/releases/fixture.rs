//! `cargo xtask fixture`: adds the states of today's versions to those that every later program must
//! open.

use std::process::ExitCode;

use anyhow::Result;

use crate::support::build;

/// The packages that keep a state, and the tests that write one.
const WRITERS: [(&str, &str); 2] = [
    (
        "flower-superlink",
        "store::fixtures::the_version_of_today_has_a_state",
    ),
    (
        "flower-supernode",
        "store::tests::fixtures::the_version_of_today_has_a_store",
    ),
];

/// `cargo xtask fixture`
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Has the tests write what is missing. A state that is there stays: programs of its time made it.
pub(crate) fn run(_args: &Args) -> Result<ExitCode> {
    for (package, test) in WRITERS {
        let mut tests = build::cargo();
        tests.env("FLWR_WRITE_FIXTURE", "1");
        tests.args(["test", "--quiet", "--package", package, "--lib", "--"]);
        build::succeed(tests.args(["--exact", test]))?;
    }
    println!("written, where one was missing: `git status` tells");
    Ok(ExitCode::SUCCESS)
}
