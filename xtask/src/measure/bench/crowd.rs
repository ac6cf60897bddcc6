//! Many nodes on our SuperLink: what they cost while nothing happens, a broadcast to all, and all
//! coming back at once after the SuperLink was killed.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::figures::Maker;
use super::generator::Generator;
use super::stage::{Stage, SuperLink};
use super::usage;
use super::what::Nodes;

/// After registration, until all nodes wait for a message.
const SETTLE: Duration = Duration::from_secs(5);
const FLAGS: [&str; 2] = ["--isolation", "process"];

pub(super) fn measure(stage: &Stage, of: Nodes, nodes: usize, idle: u64) -> Result<()> {
    let superlink = stage.superlink(Maker::Ours, &FLAGS)?;
    let pid = superlink.daemon.id();
    let empty = usage::resident(pid)?;
    let mut crowd = gather(stage, &superlink, of, nodes)?;
    let registered = crowd.event("registered")?;
    println!(
        "{nodes} nodes have registered in {:.1} s",
        seconds(&registered)
    );
    thread::sleep(SETTLE);
    let each = |memory: f64| (memory - empty) * 1000.0 / nodes as f64;
    let memory = usage::resident(pid)?;
    println!("memory: {memory:.0} MB, {:.1} KB a node", each(memory));

    let before = usage::cpu_seconds(pid)?;
    thread::sleep(Duration::from_secs(idle));
    let used = usage::cpu_seconds(pid)? - before;
    let share = 100.0 * used / idle as f64;
    println!("idle for {idle} s: {share:.1}% of one core");
    let memory = usage::resident(pid)?;
    println!(
        "memory after that: {memory:.0} MB, {:.1} KB a node",
        each(memory)
    );
    broadcast(&mut crowd, nodes)?;
    let memory = usage::resident(pid)?;
    println!(
        "memory after that: {memory:.0} MB, {:.1} KB a node",
        each(memory)
    );

    let superlink = restart(stage, superlink)?;
    println!(
        "the SuperLink was killed and is back after {:.2} s",
        superlink.started.as_secs_f64()
    );
    let begun = Instant::now();
    crowd.tell("settle")?;
    crowd.event("settled")?;
    let counts = crowd.event("counts")?;
    println!(
        "all nodes are back {:.1} s later; {} calls had failed",
        begun.elapsed().as_secs_f64(),
        counts["failures"]
    );
    broadcast(&mut crowd, nodes)?;
    crowd.quit()?;
    superlink.stop()
}

/// Kills the SuperLink and starts it again, over the same files and ports.
fn restart(stage: &Stage, superlink: SuperLink) -> Result<SuperLink> {
    let ports = superlink.ports();
    // Dropping a daemon kills it.
    drop(superlink);
    stage.superlink_again(Maker::Ours, &FLAGS, ports)
}

fn gather(stage: &Stage, superlink: &SuperLink, of: Nodes, nodes: usize) -> Result<Generator> {
    let mut load = stage.load(superlink, of);
    load.args(["crowd", "--nodes", &nodes.to_string()]);
    Generator::start_with_app(stage, load)
}

fn broadcast(crowd: &mut Generator, nodes: usize) -> Result<()> {
    let told = crowd.ask("broadcast")?;
    let counts = crowd.event("counts")?;
    println!(
        "a broadcast was answered by all {nodes} in {:.1} s; {} calls had failed so far",
        seconds(&told),
        counts["failures"]
    );
    Ok(())
}

fn seconds(event: &Value) -> f64 {
    event["seconds"].as_f64().unwrap_or(f64::NAN)
}
