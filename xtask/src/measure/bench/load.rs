//! Calls and brokered rounds, with the load generator.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Extent;
use super::figures::{Figures, Maker, What, median};
use super::stage::{Stage, SuperLink};
use super::usage;

/// The most nodes that one of the loads here has.
pub(super) const MOST_NODES: usize = 50;
/// Rounds of each weight.
const ROUNDS: &str = "5";
/// Without ServerApp processes: the load generator is the ServerApp.
const VIRTUAL: [&str; 2] = ["--isolation", "process"];

/// How heavy a round is.
struct Weight {
    nodes: &'static str,
    bytes: &'static str,
}

const MANY_SMALL: Weight = Weight {
    nodes: "50",
    bytes: "100000",
};
const FEW_LARGE: Weight = Weight {
    nodes: "10",
    bytes: "10000000",
};

pub(super) fn measure(
    stage: &Stage,
    maker: Maker,
    extent: Extent,
    figures: &mut Figures,
) -> Result<()> {
    let database = stage.database()?;
    // Each kind of state, as its maker is told about it.
    let (memory, disk) = match maker {
        Maker::Ours | Maker::Earlier => (vec!["--database", ":memory:"], vec![]),
        Maker::Pip => (vec![], vec!["--database", &database[..]]),
    };
    for (state, polls, small, large) in [
        (
            memory,
            What::PollsMemory,
            What::ManySmallMemory,
            What::FewLargeMemory,
        ),
        (
            disk,
            What::PollsDisk,
            What::ManySmallDisk,
            What::FewLargeDisk,
        ),
    ] {
        let flags = [&state[..], &VIRTUAL].concat();
        let rate = poll(stage, maker, &flags, extent.poll_seconds)?;
        figures.add(polls, maker, rate);
        let superlink = stage.superlink(maker, &flags)?;
        figures.add(small, maker, broker(stage, &superlink, &MANY_SMALL)?);
        figures.add(large, maker, broker(stage, &superlink, &FEW_LARGE)?);
        if large == What::FewLargeMemory {
            figures.add(What::Peak, maker, usage::peak(superlink.daemon.id())?);
        }
        superlink.stop()?;
    }
    Ok(())
}

/// Calls that are answered in a second, by a SuperLink that holds none.
fn poll(stage: &Stage, maker: Maker, flags: &[&str], seconds: f64) -> Result<f64> {
    let at_once: &[&str] = match maker {
        Maker::Ours | Maker::Earlier => &["--node-hold", "0"],
        Maker::Pip => &[],
    };
    let superlink = stage.superlink(maker, &[flags, at_once].concat())?;
    let seconds = seconds.to_string();
    let told = run(stage, &superlink, &["polls", "--seconds", &seconds])?;
    superlink.stop()?;
    let rate = told.first().and_then(|polls| polls["per_second"].as_f64());
    rate.context("the load generator told no rate")
}

/// The median of the rounds.
fn broker(stage: &Stage, superlink: &SuperLink, weight: &Weight) -> Result<f64> {
    let fab = stage.fab()?.display().to_string();
    let arguments = ["broker", "--fab", &fab, "--rounds", ROUNDS];
    let weight = ["--nodes", weight.nodes, "--bytes", weight.bytes];
    let told = run(stage, superlink, &[&arguments[..], &weight].concat())?;
    let took = told.iter().filter_map(|round| round["seconds"].as_f64());
    median(took.collect()).context("the load generator told no rounds")
}

fn run(stage: &Stage, superlink: &SuperLink, arguments: &[&str]) -> Result<Vec<Value>> {
    let output = stage.load(superlink).args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("flwr-bench {arguments:?} failed: {said}");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
