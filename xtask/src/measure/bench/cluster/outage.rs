//! A SuperLink is killed, and its nodes go to the others.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::stand::{Keeping, Stand};
use super::{Extent, Table};
use crate::measure::bench::generator::Generator;
use crate::measure::bench::what::Nodes;

/// After registrations, until all nodes wait for a message.
const SETTLE: Duration = Duration::from_secs(5);
/// How long it may take until nodes see that their SuperLink is gone.
const NOTICE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) fn measure(
    stand: &Stand<'_>,
    superlinks: usize,
    extent: &Extent,
    table: &mut Table,
) -> Result<()> {
    let mut federation = stand.superlinks(Keeping::Shared(superlinks), &[])?;
    let (_balancer, port) = federation.balanced()?;
    let mut load = federation.load_at(&[port], Nodes::Pip)?;
    load.args(["crowd", "--nodes", &extent.nodes_of_outage.to_string()]);
    let mut crowd = Generator::start_with_app(stand.stage, load)?;
    crowd.event("registered")?;
    thread::sleep(SETTLE);
    let killed = Instant::now();
    federation.kill_one();
    let before = federation.cpu()?;
    while ill(&mut crowd)? == 0 {
        ensure!(killed.elapsed() < NOTICE, "no node has noticed the kill");
        thread::sleep(LOOK_EVERY);
    }
    crowd.tell("settle")?;
    crowd.event("settled")?;
    let seconds = killed.elapsed().as_secs_f64();
    let cpu = federation.cpu()? - before;
    crowd.quit()?;
    federation.stop()?;
    let figure = format!(
        "one of {superlinks} is killed: all {} nodes are back after",
        extent.nodes_of_outage
    );
    table.add_with(&figure, "s", seconds, cpu);
    table.aim(&figure, "<= 10 s", None);
    Ok(())
}

/// The nodes whose last call failed.
fn ill(crowd: &mut Generator) -> Result<u64> {
    let ill = crowd.ask("counts")?["ill"].as_u64();
    ill.context("the load generator told no failed calls")
}
