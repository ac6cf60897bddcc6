//! `cargo xtask compare`: what is new on the wire and on the command line of a release of flwr.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::support::build;
use crate::support::python::{self, Flower};

/// Prints the facts of one environment.
const FACTS: &str = include_str!("facts.py");

/// `cargo xtask compare`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The release that is known.
    #[arg(value_name = "KNOWN")]
    known: String,
    /// The release that is new.
    #[arg(value_name = "NEW")]
    new: String,
}

/// Prints the fields, calls, HTTP paths, variables and flags that only one of the releases has.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let (known, new) = (facts(&args.known)?, facts(&args.new)?);
    for line in difference(&known, &new) {
        println!("{line}");
    }
    println!("{} facts are the same", known.intersection(&new).count());
    Ok(ExitCode::SUCCESS)
}

fn facts(version: &str) -> Result<BTreeSet<String>> {
    let environment = Flower::named(version).prepare()?;
    let mut command = Command::new(python::bin(&environment).join("python"));
    command.args(["-c", FACTS]);
    // Flower's help needs no terminal, and asks nobody for updates.
    command
        .env("FLWR_DISABLE_UPDATE_CHECK", "1")
        .env("FLWR_TELEMETRY_ENABLED", "0");
    let output = command.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "flwr {version} does not tell its facts ({}): {said}",
            build::show(&command)
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// What only the first has, and what only the second has, in the order of the facts.
fn difference(known: &BTreeSet<String>, new: &BTreeSet<String>) -> Vec<String> {
    let all = known.symmetric_difference(new);
    let mark = |fact: &String| match known.contains(fact) {
        true => format!("- {fact}"),
        false => format!("+ {fact}"),
    };
    all.map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_new_stand_beside_each_other() {
        let set = |facts: [&str; 2]| facts.map(str::to_owned).into_iter().collect();
        let known = set(["call a", "message b: 2 ids"]);
        let new = set(["call a", "message b: 3 list"]);
        let wanted = ["- message b: 2 ids", "+ message b: 3 list"];
        assert_eq!(difference(&known, &new), wanted);
    }
}
