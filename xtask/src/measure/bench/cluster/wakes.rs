//! How long a node that waits at one SuperLink waits for a message that was stored at another.

use anyhow::{Context, Result};

use super::stand::{Cpu, Federation, Keeping, Stand};
use super::{Extent, Table};
use crate::measure::bench::generator::Generator;
use crate::measure::bench::load::{self, MANY_SMALL};
use crate::measure::bench::what::Nodes;

/// Seconds between two looks of a SuperLink that hears nothing (`store/postgres/wakes/look.rs`).
const LOOKS: f64 = 2.0;

pub(super) fn measure(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    let federation = stand.superlinks(Keeping::Shared(superlinks), &[])?;
    let found = wakes(stand, &federation, extent.messages, 0.0)?;
    federation.stop()?;
    let figure = "stored at one SuperLink, had by a node at another: p50";
    table.add_with(figure, "ms", found.middle, found.cpu);
    table.aim(figure, "<= 5 ms", None);
    let figure = "stored at one SuperLink, had by a node at another: p99";
    table.add(figure, "ms", found.most);
    table.aim(figure, "<= 50 ms", None);
    Ok(())
}

/// The same while no SuperLink hears what others notify.
pub(super) fn measure_cut(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    let federation = stand.superlinks(Keeping::Shared(superlinks), &[])?;
    // All sessions that read and write are there when nobody can connect any more.
    load::rounds(stand.stage, &mut federation.load(Nodes::Pip)?, &MANY_SMALL)?;
    federation.cut_listen()?;
    let found = wakes(stand, &federation, extent.messages_cut, LOOKS)?;
    federation.stop()?;
    let figure = "LISTEN cut, stored at one, had by a node at another: p50";
    table.add_with(figure, "ms", found.middle, found.cpu);
    table.add("LISTEN cut, the slowest", "ms", found.slowest);
    table.aim("LISTEN cut, the slowest", "<= 2500 ms", None);
    Ok(())
}

/// Milliseconds.
struct Found {
    middle: f64,
    most: f64,
    slowest: f64,
    cpu: Cpu,
}

fn wakes(
    stand: &Stand<'_>,
    federation: &Federation<'_>,
    messages: usize,
    pause: f64,
) -> Result<Found> {
    let before = federation.cpu()?;
    let mut load = federation.load_across(Nodes::Pip)?;
    load.args(["wakes", "--messages", &messages.to_string()]);
    load.args(["--pause", &pause.to_string()]);
    let mut generator = Generator::start_with_app(stand.stage, load)?;
    let told = generator.event("wakes")?;
    generator.wait()?;
    let millis = |name: &str| {
        let told = told[name].as_f64();
        told.context("the load generator told no times")
    };
    Ok(Found {
        middle: millis("p50_ms")?,
        most: millis("p99_ms")?,
        slowest: millis("slowest_ms")?,
        cpu: federation.cpu()? - before,
    })
}
