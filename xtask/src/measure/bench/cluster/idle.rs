//! What nodes cost the database while there is nothing for them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::stand::{Cpu, Federation, Keeping, Stand};
use super::{Extent, Table};
use crate::measure::bench::generator::Generator;
use crate::measure::bench::what::Nodes;

/// After a start, until SuperLinks know each other. The server counts what an idle session did after 10 s at
/// the latest.
const SETTLE: Duration = Duration::from_secs(12);
/// How often to look whether all nodes wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What happened in a while.
struct Seen {
    seconds: f64,
    transactions: f64,
    cpu: Cpu,
}

impl Seen {
    fn per_second(&self) -> f64 {
        self.transactions / self.seconds
    }
}

pub(super) fn measure(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    let federation = stand.superlinks(Keeping::Shared(superlinks), &[])?;
    thread::sleep(SETTLE);
    let empty = watch(&federation, extent)?;
    let mut load = federation.load(Nodes::Pip)?;
    load.args(["crowd", "--nodes", &extent.nodes.to_string()]);
    let mut crowd = Generator::start_with_app(stand.stage, load)?;
    crowd.event("registered")?;
    // The first call of each node looks into the database. All have looked once so many calls were held for
    // their whole time.
    while polls(&mut crowd)? < extent.nodes as f64 {
        thread::sleep(LOOK_EVERY);
    }
    thread::sleep(SETTLE);
    let before = polls(&mut crowd)?;
    let full = watch(&federation, extent)?;
    let polls = polls(&mut crowd)? - before;
    crowd.quit()?;
    federation.stop()?;

    let each = superlinks as f64;
    let seconds = extent.idle_seconds;
    let figure = format!(
        "transactions a SuperLink, {} idle nodes at {superlinks}, {seconds} s",
        extent.nodes
    );
    table.add_with(&figure, "/s", full.per_second() / each, full.cpu);
    table.aim(&figure, "<= 5/s", None);
    table.add_with(
        "the same without nodes",
        "/s",
        empty.per_second() / each,
        empty.cpu,
    );
    table.add("polls of these nodes", "/s", polls / full.seconds);
    let more = (full.per_second() - empty.per_second()) * full.seconds;
    table.add(
        "transactions for each of these polls",
        "",
        more.max(0.0) / polls,
    );
    table.aim("transactions for each of these polls", "none", None);
    Ok(())
}

fn watch(federation: &Federation<'_>, extent: &Extent) -> Result<Seen> {
    let (transactions, cpu) = (federation.transactions()?, federation.cpu()?);
    let begun = Instant::now();
    thread::sleep(Duration::from_secs(extent.idle_seconds));
    Ok(Seen {
        seconds: begun.elapsed().as_secs_f64(),
        transactions: federation.transactions()? - transactions,
        cpu: federation.cpu()? - cpu,
    })
}

/// The calls for messages that were answered so far.
fn polls(crowd: &mut Generator) -> Result<f64> {
    let polls = crowd.ask("counts")?["polls"].as_f64();
    polls.context("the load generator told no polls")
}
