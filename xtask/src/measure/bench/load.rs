//! Calls and brokered rounds, with the load generator.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Extent;
use super::figures::{Figures, Maker, median};
use super::stage::{Stage, SuperLink};
use super::usage;
use super::what::{Kind, Load, Nodes, State, What};

/// The most nodes that one of the loads here has.
pub(super) const MOST_NODES: usize = 50;
/// The nodes that poll.
pub(super) const POLLING_NODES: usize = 16;
/// Rounds of each weight.
const ROUNDS: &str = "5";
/// Without ServerApp processes: the load generator is the ServerApp.
pub(super) const VIRTUAL: [&str; 2] = ["--isolation", "process"];

/// How heavy a round is.
pub(super) struct Weight {
    nodes: &'static str,
    bytes: &'static str,
}

pub(super) const MANY_SMALL: Weight = Weight {
    nodes: "50",
    bytes: "100000",
};
pub(super) const FEW_LARGE: Weight = Weight {
    nodes: "10",
    bytes: "10000000",
};

pub(super) fn measure(
    stage: &Stage,
    maker: Maker,
    extent: Extent,
    figures: &mut Figures,
) -> Result<()> {
    for state in State::ALL {
        for nodes in Nodes::ALL {
            let rate = poll(stage, maker, state, nodes, extent.poll_seconds)?;
            let row = |kind| What::Load(Load { kind, state, nodes });
            figures.add(row(Kind::Polls), maker, rate);
            let superlink = stage.superlink(maker, &flags(stage, maker, state)?)?;
            let round = |weight| broker(stage, &superlink, nodes, weight);
            figures.add(row(Kind::ManySmall), maker, round(&MANY_SMALL)?);
            figures.add(row(Kind::FewLarge), maker, round(&FEW_LARGE)?);
            if (state, nodes) == (State::Memory, Nodes::Pip) {
                figures.add(What::Peak, maker, usage::peak(superlink.daemon.id())?);
            }
            superlink.stop()?;
        }
    }
    Ok(())
}

/// The flags of a SuperLink with this kind of state, as its maker knows them.
fn flags(stage: &Stage, maker: Maker, state: State) -> Result<Vec<String>> {
    let state = match (maker, state) {
        (Maker::Pip | Maker::Newest, State::Memory)
        | (Maker::Ours | Maker::Earlier, State::Sqlite) => vec![],
        (Maker::Pip | Maker::Newest, State::Sqlite) => {
            vec!["--database".to_owned(), stage.database()?]
        }
        (Maker::Ours | Maker::Earlier, State::Memory) => {
            ["--database", ":memory:"].map(str::to_owned).to_vec()
        }
    };
    Ok([&VIRTUAL.map(str::to_owned)[..], &state].concat())
}

/// Calls that are answered in a second, by a SuperLink that holds none.
fn poll(stage: &Stage, maker: Maker, state: State, nodes: Nodes, seconds: f64) -> Result<f64> {
    let mut flags = flags(stage, maker, state)?;
    if !maker.is_pips() {
        flags.extend(["--node-hold", "0"].map(str::to_owned));
    }
    let superlink = stage.superlink(maker, &flags)?;
    let seconds = seconds.to_string();
    let count = POLLING_NODES.to_string();
    let arguments = ["polls", "--seconds", &seconds, "--nodes", &count];
    let told = run(&mut stage.load(&superlink, nodes), &arguments)?;
    superlink.stop()?;
    let mut rates = told.iter().filter_map(|event| event["per_second"].as_f64());
    let rate = rates.next();
    rate.context("the load generator told no rate")
}

/// The median of the rounds.
fn broker(stage: &Stage, superlink: &SuperLink, nodes: Nodes, weight: &Weight) -> Result<f64> {
    let took = rounds(stage, &mut stage.load(superlink, nodes), weight)?;
    median(took).context("the load generator told no rounds")
}

/// The seconds of each round that this load generator plays.
pub(super) fn rounds(stage: &Stage, load: &mut Command, weight: &Weight) -> Result<Vec<f64>> {
    let fab = stage.fab()?.display().to_string();
    let arguments = ["broker", "--fab", &fab, "--rounds", ROUNDS];
    let weight = ["--nodes", weight.nodes, "--bytes", weight.bytes];
    let arguments = [&arguments[..], &weight].concat();
    let told = run(load, &arguments)?;
    let took = told.iter().filter_map(|round| round["seconds"].as_f64());
    Ok(took.collect())
}

fn run(load: &mut Command, arguments: &[&str]) -> Result<Vec<Value>> {
    let output = load.args(arguments).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("flwr-bench {arguments:?} failed: {said}");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
