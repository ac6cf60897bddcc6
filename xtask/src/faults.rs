//! `cargo xtask faults`: the fault harness with as many faults as one has time for.

use std::process::{ExitCode, Stdio};

use anyhow::Result;

use crate::build::{self, Profile};
use crate::python::FLOWER_1_22;

/// `cargo xtask faults`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask faults                               all kinds, which takes a quarter of an hour
  cargo xtask faults --only supernode --faults 50  one kind
  cargo xtask faults --only cut --seed 42          again what a failed test has printed")]
pub(crate) struct Args {
    /// How many faults in all; each kind has its share, in a federation of its own
    #[arg(long, value_name = "N", default_value_t = 240)]
    faults: usize,

    /// Where chance begins [default: another each time, which is printed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Only this kind: superlink, supernode, both, cut, stall, disk, or mixed
    #[arg(long, value_name = "KIND")]
    only: Option<String>,
}

/// Prepares the Python environment, builds the programs and runs the harness.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut harness = build::cargo();
    harness.env(FLOWER_1_22.variable(), FLOWER_1_22.prepare()?);
    build::programs(Profile::Dev)?;
    harness.args(["test", "--package", "e2e", "--test", "harness"]);
    harness.args(["--", "--nocapture", "no_fault_loses_or_doubles_a_message"]);
    harness.env("FLOWER_FAULTS", args.faults.to_string());
    if let Some(seed) = args.seed {
        harness.env("FLOWER_FAULTS_SEED", seed.to_string());
    }
    if let Some(kind) = &args.only {
        harness.env("FLOWER_FAULTS_ONLY", kind);
    }
    let status = harness.stdin(Stdio::null()).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
