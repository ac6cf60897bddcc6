//! `cargo xtask faults`: faults while a federation works, counted.

use std::process::ExitCode;

use anyhow::Result;

use crate::support::build::{self, Profile};
use crate::support::python::{self, FLOWER_1_22, LATER};
use crate::support::tools;

/// `cargo xtask faults`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many faults, shared by the kinds.
    #[arg(long, value_name = "N", default_value_t = 216)]
    faults: usize,

    /// The seed that an earlier call printed: the same faults again.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Play the kinds of a federation with so many SuperLinks behind a balancer, over one PostgreSQL
    /// database and one bucket: 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=9))]
    superlinks: Option<u8>,

    /// One kind: superlink, supernode, both, cut, stall, disk, restart, freeze, clock, list, damage,
    /// print, releases, or mixed for several in one federation. Of several SuperLinks: one-of-three,
    /// all-in-turn, stutter, pause, postgres, failover, listen-cut, s3 or mixed-of-three.
    #[arg(long, value_name = "KIND")]
    only: Option<String>,
}

/// Builds the programs and plays all kinds of faults (`tests/tests/harness`).
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    tools::prepare_for_faults()?;
    let mut tests = build::cargo();
    tests.env(FLOWER_1_22.variable(), FLOWER_1_22.prepare()?);
    // SuperNodes of several releases.
    for flower in LATER.iter().filter(|flower| flower.is("1.31.0")) {
        tests.env(flower.variable(), flower.prepare()?);
    }
    tests.env(python::SEAWEEDFS_VARIABLE, python::seaweedfs()?);
    build::programs(Profile::Dev)?;
    tests.env("FLOWER_FAULTS", args.faults.to_string());
    if let Some(superlinks) = args.superlinks {
        tests.env("FLOWER_SUPERLINKS", superlinks.to_string());
    }
    if let Some(seed) = args.seed {
        tests.env("FLOWER_FAULTS_SEED", seed.to_string());
    }
    if let Some(kind) = &args.only {
        tests.env("FLOWER_FAULTS_ONLY", kind);
    }
    build::test_program(&mut tests, "harness");
    tests.args(["--nocapture", "no_fault_loses_or_doubles_a_message"]);
    build::outcome(&mut tests)
}
