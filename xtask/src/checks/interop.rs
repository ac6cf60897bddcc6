//! `cargo xtask interop`: which of our programs work with which of pip's, tried.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::support::build::{self, Profile};
use crate::support::python::{FLOWER_1_20, FLOWER_1_21, FLOWER_1_22, LATER, OLDER};

/// `cargo xtask interop`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only pairs whose line of the table contains this, for example 1.17; only their lines are written
    /// anew then.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// A folder with our programs of an earlier commit, of before flwr 1.23 was served. The pairs with
    /// these are tried too.
    #[arg(long, value_name = "DIR")]
    earlier: Option<PathBuf>,
}

/// Prepares all versions of Flower, builds the programs and tries all pairs (`tests/tests/matrix`).
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut tests = build::cargo();
    for flower in OLDER
        .iter()
        .chain([&FLOWER_1_20, &FLOWER_1_21, &FLOWER_1_22])
        .chain(&LATER)
    {
        tests.env(flower.variable(), flower.prepare()?);
    }
    build::programs(Profile::Dev)?;
    tests.env(
        "FLOWER_INTEROP_TABLE",
        build::root().join("docs/interop.md"),
    );
    if let Some(text) = &args.only {
        tests.env("FLOWER_INTEROP_ONLY", text);
    }
    if let Some(folder) = &args.earlier {
        tests.env("FLOWER_EARLIER", folder.canonicalize()?);
    }
    tests.args(["test", "-p", "e2e", "--test", "matrix", "--"]);
    tests.args(["--nocapture", "--ignored", "all_pairs"]);
    build::outcome(&mut tests)
}
