//! Polls, rounds and claims, beside one SuperLink over SQLite and one in memory.

use anyhow::{Context, Result};

use super::stand::{Keeping, Stand};
use super::{Extent, Table};
use crate::measure::bench::figures::median;
use crate::measure::bench::generator::Generator;
use crate::measure::bench::load::{self, FEW_LARGE, MANY_SMALL, POLLING_NODES};
use crate::measure::bench::what::Nodes;

/// Polls that are answered in a CPU second of the SuperLinks, which hold none.
pub(super) fn polls(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    let shared = (1..=superlinks).map(Keeping::Shared);
    for keeping in [Keeping::Memory, Keeping::Sqlite].into_iter().chain(shared) {
        for (nodes, whose) in [(Nodes::Pip, "pip's nodes"), (Nodes::Ours, "our nodes")] {
            let federation = stand.superlinks(keeping, &["--node-hold", "0"])?;
            let mut load = federation.load(nodes)?;
            load.args(["polls", "--seconds", &extent.poll_seconds.to_string()]);
            load.args(["--nodes", &POLLING_NODES.to_string()]);
            let mut generator = Generator::start(&mut load)?;
            let cpu = federation.cpu_of(&mut generator)?;
            let polls = generator.event("polls")?["polls"].as_f64();
            let polls = polls.context("the load generator told no polls")?;
            generator.wait()?;
            federation.stop()?;
            let figure = |keeping| format!("polls a CPU second, {whose}, {}", name(keeping));
            table.add_with(&figure(keeping), "/s", polls / cpu.superlinks, cpu);
            if let Keeping::Shared(_) = keeping {
                let memory = figure(Keeping::Memory);
                table.aim(&figure(keeping), ">= 0.95x", Some(&memory));
            }
        }
    }
    Ok(())
}

/// Rounds that the load generator plays.
pub(super) fn rounds(stand: &Stand<'_>, superlinks: usize, table: &mut Table) -> Result<()> {
    for keeping in [Keeping::Sqlite, Keeping::Shared(superlinks)] {
        let federation = stand.superlinks(keeping, &[])?;
        for (weight, what) in [
            (&MANY_SMALL, "round of 50 nodes x 100 KB"),
            (&FEW_LARGE, "round of 10 nodes x 10 MB"),
        ] {
            let before = federation.cpu()?;
            let mut load = federation.load(Nodes::Pip)?;
            let took = load::rounds(stand.stage, &mut load, weight)?;
            let cpu = federation.cpu()? - before;
            let took = median(took).context("the load generator told no rounds")?;
            let figure = |keeping| format!("{what}, {}", name(keeping));
            table.add_with(&figure(keeping), "s", took, cpu);
            if let Keeping::Shared(_) = keeping {
                let sqlite = figure(Keeping::Sqlite);
                table.aim(&figure(keeping), "<= 2x", Some(&sqlite));
            }
        }
        federation.stop()?;
    }
    Ok(())
}

/// Messages that are handed out in a second when all nodes ask at once. The nodes are ours: what a signature
/// costs is the larger part of a call of pip's, and shows in polls.
pub(super) fn claims(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    for keeping in [
        Keeping::Memory,
        Keeping::Sqlite,
        Keeping::Shared(1),
        Keeping::Shared(superlinks),
    ] {
        let federation = stand.superlinks(keeping, &[])?;
        let mut load = federation.load(Nodes::Ours)?;
        load.args(["claims", "--nodes", &extent.nodes.to_string()]);
        let mut generator = Generator::start_with_app(stand.stage, load)?;
        let cpu = federation.cpu_of(&mut generator)?;
        let rate = generator.event("claims")?["per_second"].as_f64();
        generator.wait()?;
        federation.stop()?;
        let rate = rate.context("the load generator told no rate")?;
        let figure = format!("claims, {} of our nodes, {}", extent.nodes, name(keeping));
        table.add_with(&figure, "/s", rate, cpu);
        if let Keeping::Shared(_) = keeping {
            table.aim(&figure, ">= 5000/s", None);
        }
    }
    Ok(())
}

fn name(keeping: Keeping) -> String {
    match keeping {
        Keeping::Memory => "memory".to_owned(),
        Keeping::Sqlite => "SQLite".to_owned(),
        Keeping::Shared(1) => "1 SuperLink".to_owned(),
        Keeping::Shared(count) => format!("{count} SuperLinks"),
    }
}
