//! What backups cost a SuperLink that serves: rounds, and single calls over a large state, without and
//! with backups, which follow each other without a pause.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::{Maker, median};
use super::load::{self, FEW_LARGE};
use super::probe::Probe;
use super::stage::{Stage, SuperLink};
use super::what::Nodes;
use crate::support::build;

/// The folder of the backups.
const BACKUP: &str = "backup";
/// Rounds of each kind, in turns with the other kind.
const TURNS: usize = 3;

/// The size of the state over which calls are timed.
const STATE_MB: usize = 500;
/// How long calls are timed without backups and with them, in each turn.
const LOOK: Duration = Duration::from_secs(10);

/// The seconds of rounds and of backups.
#[derive(Default)]
struct Taken {
    alone: Vec<f64>,
    beside: Vec<f64>,
    backups: Vec<f64>,
}

pub(super) fn measure(stage: &Stage) -> Result<()> {
    let superlink = stage.superlink(Maker::Ours, &load::VIRTUAL)?;
    let mut taken = Taken::default();
    for turn in 1..=TURNS {
        println!("{turn}/{TURNS} ...");
        taken.alone.extend(rounds(stage, &superlink)?);
        let (rounds, backups) = beside_backups(stage, || rounds(stage, &superlink))?;
        taken.beside.extend(rounds);
        taken.backups.extend(backups);
    }
    superlink.stop()?;
    println!("\nrounds of 10 nodes x 10 MB, seconds: median and slowest");
    for (what, seconds) in [
        ("without a backup", &taken.alone),
        ("with backups", &taken.beside),
        ("a backup (--incremental)", &taken.backups),
    ] {
        let slowest = seconds.iter().copied().fold(0.0, f64::max);
        let middle = median(seconds.clone()).context("nothing was measured")?;
        println!(
            "{what:<26}{middle:>8.3}{slowest:>8.3}   of {}",
            seconds.len()
        );
    }
    measure_calls(stage)
}

/// Times calls that write the state, while nothing else happens and while backups are made of all of it.
fn measure_calls(stage: &Stage) -> Result<()> {
    println!("\nFilling a state of {STATE_MB} MB ...");
    // A folder is for one SuperLink.
    fs::remove_dir_all(stage.folder().join(BACKUP))?;
    let superlink = stage.superlink(Maker::Ours, &load::VIRTUAL)?;
    let mut probe = Probe::start(stage, &superlink, STATE_MB)?;
    let (mut alone, mut beside, mut backups) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        println!("{turn}/{TURNS} ...");
        alone.push(probe.during(|| thread::sleep(LOOK))?);
        let (calls, seconds) = beside_backups(stage, || probe.during(|| thread::sleep(LOOK)))?;
        beside.push(calls);
        backups.extend(seconds);
    }
    drop(probe);
    // It keeps its length when it begins anew, up to 64 MiB.
    let log = fs::metadata(stage.home().join("superlink/state.db-wal"))?;
    superlink.stop()?;
    println!(
        "\ncalls that write a state of {STATE_MB} MB, milliseconds: median, 99 of 100, slowest"
    );
    for (what, turns) in [("without a backup", &alone), ("with backups", &beside)] {
        for calls in turns {
            println!("{what:<26}{calls}");
        }
    }
    let slowest = beside.iter().map(|calls| calls.slowest).fold(0.0, f64::max);
    let middle = median(backups).context("no backup was made")?;
    println!("a backup takes {middle:.2} s; the slowest call beside backups {slowest:.0} ms");
    let mb = log.len() as f64 / 1e6;
    println!("SQLite's log of what is written ahead grew to {mb:.1} MB");
    Ok(())
}

fn rounds(stage: &Stage, superlink: &SuperLink) -> Result<Vec<f64>> {
    load::rounds(stage, &mut stage.load(superlink, Nodes::Ours), &FEW_LARGE)
}

/// Does the work while backups are made. Gives the seconds of each backup, too.
fn beside_backups<T>(stage: &Stage, work: impl FnOnce() -> Result<T>) -> Result<(T, Vec<f64>)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let mut seconds = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let began = Instant::now();
                back_up(stage)?;
                seconds.push(began.elapsed().as_secs_f64());
            }
            anyhow::Ok(seconds)
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let Ok(seconds) = backups.join() else {
            bail!("the thread that makes backups has panicked");
        };
        Ok((done?, seconds?))
    })
}

fn back_up(stage: &Stage) -> Result<()> {
    let mut backup = stage.ours("flower-superlink");
    backup.args(["--incremental", "--backup", BACKUP]);
    let shown = build::show(&backup);
    let output = backup.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} failed: {said}");
    }
    Ok(())
}
