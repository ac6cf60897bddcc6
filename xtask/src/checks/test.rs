//! `cargo xtask test`: everything the tests need, then the tests.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::support::build::{self, Profile};
use crate::support::python::{self, FLOWER_1_20, FLOWER_1_21, FLOWER_1_22, Flower, LATER};
use crate::support::tools;

/// One of each later family of app processes, and one whose SuperNodes are served.
const NEWER: [&str; 10] = [
    "1.23.0", "1.25.0", "1.26.1", "1.28.0", "1.29.0", "1.31.0", "1.34.0", "1.36.0", "1.39.0",
    "1.42.0",
];

/// The end-to-end tests about app processes, which are played over TCP too. All of them play over the native
/// channel, which the daemons use by default.
const OVER_TCP: [&str; 3] = ["processes::", "run::", "runtimes::"];
/// The variables by which daemons take another channel.
const CHANNELS: [&str; 2] = [
    "FLOWER_SUPERLINK_APP_CHANNEL",
    "FLOWER_SUPERNODE_APP_CHANNEL",
];

/// `cargo xtask test`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask test                          everything but what takes minutes
  cargo xtask test --long                   the end-to-end tests that take minutes
  cargo xtask test -p flwr-core             one crate
  cargo xtask test -p e2e -- tls::          the end-to-end tests about TLS
  cargo xtask test -p e2e -- --nocapture    with what they print")]
pub(crate) struct Args {
    /// Run the end-to-end tests that take minutes, and nothing else.
    #[arg(long, conflicts_with = "forwarded")]
    long: bool,
    /// Handed to `cargo test`; without -p, the whole workspace is tested.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CARGO TEST ARGUMENTS"
    )]
    forwarded: Vec<String>,
}

/// Prepares Envoy, SeaweedFS and the Python environments, builds the programs that the end-to-end tests start, and runs
/// `cargo test`.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    tools::prepare()?;
    let mut tests = prepared()?;
    build::programs(Profile::Dev)?;
    if args.long {
        build::test_program(&mut tests, "e2e");
        return build::outcome(tests.arg("--ignored"));
    }
    tests.arg("test");
    if !args.forwarded.is_empty() {
        if !names_a_package(&args.forwarded) {
            tests.arg("--workspace");
        }
        return build::outcome(tests.args(&args.forwarded));
    }
    build::succeed(tests.arg("--workspace"))?;
    let mut over_tcp = prepared()?;
    over_tcp.envs(CHANNELS.map(|variable| (variable, "tcp")));
    build::test_program(&mut over_tcp, "e2e");
    build::outcome(over_tcp.args(OVER_TCP))
}

/// cargo, with the variables that tell the tests where Python environments and other programs are.
fn prepared() -> Result<Command> {
    let mut tests = build::cargo();
    for flower in releases() {
        tests.env(flower.variable(), flower.prepare()?);
    }
    tests.env(python::ENVOY_VARIABLE, python::envoy()?);
    tests.env(python::SEAWEEDFS_VARIABLE, python::seaweedfs()?);
    Ok(tests)
}

/// The releases of which the tests have an environment.
pub(super) fn releases() -> impl Iterator<Item = Flower<'static>> {
    let sample = |flower: &Flower<'_>| NEWER.iter().any(|version| flower.is(version));
    let newer = LATER.into_iter().filter(sample);
    [FLOWER_1_22, FLOWER_1_21, FLOWER_1_20]
        .into_iter()
        .chain(newer)
}

fn names_a_package(arguments: &[String]) -> bool {
    let ours = arguments.iter().take_while(|argument| *argument != "--");
    ours.into_iter()
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::names_a_package;

    fn arguments(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_package_is_seen_in_all_its_spellings() {
        for line in [
            "-p e2e",
            "--package e2e",
            "--package=e2e",
            "-pe2e",
            "--locked -p e2e",
        ] {
            assert!(names_a_package(&arguments(line)), "{line}");
        }
    }

    #[test]
    fn arguments_of_the_test_programs_are_not_packages() {
        for line in ["", "--locked", "-- -p", "tls -- --package"] {
            assert!(!names_a_package(&arguments(line)), "{line}");
        }
    }
}
