//! `cargo xtask upgrade`: parts of a federation are replaced by newer ones while rounds go on.

use std::process::ExitCode;

use anyhow::Result;

use crate::support::build::{self, Profile};
use crate::support::python::Flower;

/// The SuperNodes that the federation begins with, beside ours, as `tests/tests/harness/upgrade.rs` has
/// them.
const BEGIN: [&str; 5] = ["1.20.0", "1.26.1", "1.31.0", "1.36.0", "1.41.0"];

/// `cargo xtask upgrade`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The release of pip's SuperNodes at the end.
    #[arg(long, value_name = "VERSION", default_value = "1.42.0")]
    to: String,
    /// The release of the ServerApp.
    #[arg(long, value_name = "VERSION", default_value = "1.31.0")]
    serverapp: String,
}

/// Has SuperNodes of flwr 1.20, 1.26, 1.31, 1.36 and 1.41 and ours train one model, upgrades each of pip's
/// with its key, and prints which releases took part in each round, and what was lost or done twice.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut tests = build::cargo();
    let chosen = [args.to.as_str(), &args.serverapp];
    for version in BEGIN.into_iter().chain(["1.22.0"]).chain(chosen) {
        let flower = Flower::named(version);
        tests.env(flower.variable(), flower.prepare()?);
    }
    build::programs(Profile::Dev)?;
    tests.env("FLOWER_UPGRADE_TO", &args.to);
    tests.env("FLOWER_UPGRADE_SERVERAPP", &args.serverapp);
    build::test_program(&mut tests, "harness");
    tests.args(["--nocapture", "--ignored"]);
    tests.arg("supernodes_are_upgraded_while_rounds_go_on");
    build::outcome(&mut tests)
}
