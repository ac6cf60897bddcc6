//! `cargo xtask soak`: many runs one after the other, then one run of many rounds, on a SuperLink
//! and two SuperNodes with TLS and authentication. What a run or a round needs must be given back:
//! memory, open files, threads and processes have to stay as they are, and the disk may grow by
//! what is kept of a run.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::measure::bench::figures::Maker;
use crate::measure::bench::stage::{Stage, SuperLink};
use crate::support::build::{self, Profile};
use crate::support::daemon::Daemon;
use crate::support::python::FLOWER_1_22;

mod sample;

use sample::{Sample, Watched};

/// How long app processes have to end after a run, before they count as left behind.
const SETTLE: Duration = Duration::from_secs(8);
/// How long a SuperNode may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);
const NODES: usize = 2;

/// `cargo xtask soak`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask soak                           500 runs, then 1000 rounds: about half an hour
  cargo xtask soak --runs 20 --rounds 50     a short one
  cargo xtask soak --runs 0                  the rounds only")]
pub(crate) struct Args {
    /// How many runs follow each other, of one round each.
    #[arg(long, value_name = "N", default_value_t = 500)]
    runs: u32,

    /// How many rounds the long run has.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rounds: u32,

    /// How many lines the table of each part has.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..))]
    samples: u32,
}

/// Builds the programs, plays both parts and says whether anything has grown.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let programs = build::programs(Profile::Dev)?;
    let environment = FLOWER_1_22.prepare()?;
    let folder = tempfile::Builder::new().prefix("flower-soak-").tempdir()?;
    let stage = Stage::set(folder.path(), &programs, &environment, NODES)?;
    let mut complaints = Vec::new();
    if args.runs > 0 {
        println!("\n{} runs of one round:", args.runs);
        let kept_of_a_run = sample::DISK_OF_A_RUN * f64::from(args.runs);
        let samples = Federation::start(&stage)?.play_runs(&stage, args)?;
        complaints.extend(sample::complaints(&samples, kept_of_a_run));
    }
    if args.rounds > 0 {
        println!("\none run of {} rounds:", args.rounds);
        let kept_of_rounds = sample::DISK_OF_A_ROUND * f64::from(args.rounds);
        let samples = Federation::start(&stage)?.play_rounds(&stage, args)?;
        complaints.extend(sample::complaints(&samples, kept_of_rounds));
    }
    if complaints.is_empty() {
        println!("\nnothing has grown");
        return Ok(ExitCode::SUCCESS);
    }
    println!();
    for complaint in complaints {
        println!("{complaint}");
    }
    Ok(ExitCode::FAILURE)
}

/// The daemons of one part.
struct Federation {
    superlink: SuperLink,
    nodes: Vec<Daemon>,
}

impl Federation {
    fn start(stage: &Stage) -> Result<Self> {
        let superlink = stage.superlink::<&str>(Maker::Ours, &[])?;
        let nodes = (1..=NODES)
            .map(|number| stage.supernode(Maker::Ours, &superlink, number, &[]))
            .collect::<Result<_>>()?;
        stage.point_app_at(&superlink)?;
        Ok(Self { superlink, nodes })
    }

    fn watched(&self, stage: &Stage) -> Watched {
        Watched {
            superlink: self.superlink.daemon.id(),
            nodes: self.nodes.iter().map(Daemon::id).collect(),
            home: stage.home(),
        }
    }

    fn play_runs(self, stage: &Stage, args: &Args) -> Result<Vec<Sample>> {
        let watched = self.watched(stage);
        let mut samples = Vec::new();
        for number in 1..=args.runs {
            let mut flwr = stage.ours("flwr");
            flwr.args(["run", "rounds", "--wait", "--run-config", "rounds=1"]);
            let output = flwr.output().context("flwr does not start")?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("run {number} failed:\n{said}");
            }
            if is_due(number, args.runs, args.samples) {
                thread::sleep(SETTLE);
                take("runs", &watched, number, &mut samples)?;
            }
        }
        self.stop()?;
        Ok(samples)
    }

    fn play_rounds(self, stage: &Stage, args: &Args) -> Result<Vec<Sample>> {
        let watched = self.watched(stage);
        let mut samples = Vec::new();
        let mut flwr = stage.ours("flwr");
        flwr.args(["run", "rounds", "--stream", "--run-config"]);
        flwr.arg(format!("rounds={}", args.rounds));
        let mut flwr = flwr.stdout(Stdio::piped()).spawn()?;
        let output = flwr.stdout.take().context("flwr has no output")?;
        let mut is_whole = false;
        for line in BufReader::new(output).lines() {
            let line = line?;
            is_whole |= line.contains(&format!("{0} of {0} rounds were evaluated", args.rounds));
            // The line stands at the beginning of its round.
            let finished = begun_round(&line).map_or(0, |number| number.saturating_sub(1));
            if is_due(finished, args.rounds, args.samples) {
                take("rounds", &watched, finished, &mut samples)?;
            }
        }
        if !flwr.wait()?.success() || !is_whole {
            bail!("the run failed:\n{}", self.superlink.daemon.last_lines());
        }
        self.stop()?;
        Ok(samples)
    }

    fn stop(self) -> Result<()> {
        for node in self.nodes {
            node.stop(STOP_GRACE)?;
        }
        self.superlink.stop()
    }
}

/// Takes a sample after this many of `what`, and prints it.
fn take(what: &str, watched: &Watched, number: u32, samples: &mut Vec<Sample>) -> Result<()> {
    if samples.is_empty() {
        println!("{}", Sample::head(what));
    }
    let sample = watched.sample(number)?;
    println!("{sample}");
    samples.push(sample);
    Ok(())
}

/// Whether a sample is taken after this run or round, of so many.
fn is_due(number: u32, of: u32, samples: u32) -> bool {
    number > 0 && (number == of || number.is_multiple_of((of / samples).max(1)))
}

/// Reads `round 2 at 1758000000.25`.
fn begun_round(line: &str) -> Option<u32> {
    let (number, _) = line.trim().strip_prefix("round ")?.split_once(" at ")?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_all_and_the_last_is_one() {
        let due =
            |of, samples| -> Vec<u32> { (0..=of).filter(|n| is_due(*n, of, samples)).collect() };
        assert_eq!(due(10, 5), [2, 4, 6, 8, 10]);
        assert_eq!(due(11, 3), [3, 6, 9, 11]);
        assert_eq!(due(2, 10), [1, 2]);
    }

    #[test]
    fn only_the_beginning_of_a_round_tells_its_number() {
        assert_eq!(begun_round("round 12 at 1758000000.250000"), Some(12));
        assert_eq!(begun_round("round 12: done"), None);
        assert_eq!(begun_round("5 of 5 rounds were evaluated"), None);
    }
}
