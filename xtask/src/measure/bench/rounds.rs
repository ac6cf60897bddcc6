//! Rounds of a real Python app on two SuperNodes, start-up and idle memory.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Extent;
use super::figures::{Figures, Maker, median};
use super::stage::Stage;
use super::usage;
use super::what::What;

/// How long daemons are left alone before their memory counts as idle.
const SETTLE: Duration = Duration::from_secs(3);
/// How long a SuperNode may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);

pub(super) fn measure(
    stage: &Stage,
    maker: Maker,
    extent: Extent,
    figures: &mut Figures,
) -> Result<()> {
    play(stage, maker, extent, &[], What::Round, figures)?;
    if !maker.is_pips() {
        let reuse = ["--clientapp-reuse", "run"];
        play(stage, maker, extent, &reuse, What::RoundReused, figures)?;
        let fresh = ["--clientapp-start", "fresh"];
        play(stage, maker, extent, &fresh, What::RoundFresh, figures)?;
    }
    Ok(())
}

fn play(
    stage: &Stage,
    maker: Maker,
    extent: Extent,
    node_flags: &[&str],
    what: What,
    figures: &mut Figures,
) -> Result<()> {
    let superlink = stage.superlink::<&str>(maker, &[])?;
    stage.register_keys(maker, &superlink, 2)?;
    let first = stage.supernode(maker, &superlink, 1, node_flags)?;
    let second = stage.supernode(maker, &superlink, 2, node_flags)?;
    thread::sleep(SETTLE);
    if what == What::Round {
        let (link, node) = (superlink.daemon.id(), first.id());
        figures.add(What::Start, maker, superlink.started.as_secs_f64());
        figures.add(What::IdleSuperlink, maker, usage::resident(link)?);
        figures.add(What::IdleSupernode, maker, usage::resident(node)?);
        let with_children = usage::resident_with_children(link)?;
        figures.add(What::IdleSuperlinkAll, maker, with_children);
        let with_children = usage::resident_with_children(node)?;
        figures.add(What::IdleSupernodeAll, maker, with_children);
    }
    stage.point_app_at(&superlink)?;
    match run_app(stage, extent.rounds) {
        Ok(round) => figures.add(what, maker, round),
        // Its app processes lose their token where they take 30 s to begin, as on busy cores.
        Err(why) if maker == Maker::Newest => figures.fail(what, maker, first_line(&why)),
        Err(why) => return Err(why),
    }
    for node in [first, second] {
        node.stop(STOP_GRACE)?;
    }
    superlink.stop()
}

fn first_line(why: &anyhow::Error) -> String {
    let text = format!("{why:#}");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(2).collect::<Vec<_>>().join(" ")
}

/// The median of the rounds, without the first: it waits for the nodes, too.
fn run_app(stage: &Stage, rounds: u32) -> Result<f64> {
    let mut flwr = stage.ours("flwr");
    flwr.args(["run", "rounds", "--stream"]);
    let output = flwr
        .args(["--run-config", &format!("rounds={rounds}")])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("the run failed:\n{text}{errors}");
    }
    if !text.contains(&format!("{rounds} of {rounds} rounds were evaluated")) {
        bail!("not all rounds went well:\n{text}");
    }
    let begun: Vec<f64> = text.lines().filter_map(begin_of_round).collect();
    let took = begun.windows(2).map(|pair| pair[1] - pair[0]);
    median(took.skip(1).collect()).context("no round was told")
}

/// Reads `round 2 at 1758000000.25`.
pub(super) fn begin_of_round(line: &str) -> Option<f64> {
    let (_, at) = line.trim().strip_prefix("round ")?.split_once(" at ")?;
    at.parse().ok()
}
