//! `cargo xtask bench`: rounds, calls, throughput and memory, ours and pip's in turns on the same
//! machine, so that a busy moment hits both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::support::build::{self, Profile};
use crate::support::python::{FLOWER, FLOWER_1_22};

mod backup;
mod cluster;
mod crowd;
pub(crate) mod figures;
mod generator;
mod imports;
mod large;
mod load;
mod probe;
mod rounds;
pub(crate) mod stage;
mod start;
pub(crate) mod usage;
mod what;

use figures::{Figures, Maker};
use stage::Stage;
use what::Nodes;

/// `cargo xtask bench`
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask bench --quick              every figure once, in ten minutes
  cargo xtask bench                      four times in turns, with medians and spreads
  cargo xtask bench --against FOLDER     our programs of another commit in place of pip's
  cargo xtask bench --newest --quick     only beside pip's newest release
  cargo xtask bench --imports            the first message of a run and the later ones, with CPU
                                         and memory, for apps with small and large libraries
  cargo xtask bench --crowd 10000        many nodes on our SuperLink: memory, CPU, a broadcast,
                                         and all coming back at once after a kill
  cargo xtask bench --backup             rounds and single calls beside backups of our SuperLink
  cargo xtask bench --large 100          rounds of a model of 100 MB: CPU and memory of all processes,
                                         over each channel of app processes
  cargo xtask bench --start              `flwrd superlink` beside flower-superlink
  cargo xtask bench --cluster 3          three SuperLinks over PostgreSQL and S3, which this starts,
                                         beside one over SQLite and one in memory")]
pub(crate) struct Args {
    /// Each figure once, with fewer rounds.
    #[arg(long)]
    quick: bool,

    /// A folder with our programs of another commit (release build), which are measured in place of
    /// pip's.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["imports", "crowd"])]
    against: Option<PathBuf>,

    /// Where the figures go as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// What an app's imports cost a SuperNode, and nothing else.
    #[arg(long, conflicts_with = "crowd")]
    imports: bool,

    /// Rounds and memory beside pip's newest release, and nothing else. Ours runs the app processes of
    /// that release.
    #[arg(long, conflicts_with_all = ["imports", "crowd", "against", "backup"])]
    newest: bool,

    /// What backups cost our SuperLink, and nothing else.
    #[arg(long, conflicts_with_all = ["crowd", "imports", "against"])]
    backup: bool,

    /// Rounds of a model of so many MB, beside pip's 1.22 and newest, and nothing else.
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..=2000),
          conflicts_with_all = ["crowd", "imports", "against", "newest", "backup"])]
    large: Option<u32>,

    /// What `flwrd superlink` adds to the start of our SuperLink, and nothing else.
    #[arg(long, conflicts_with_all = ["crowd", "imports", "against", "newest", "backup"])]
    start: bool,

    /// Several of our SuperLinks over PostgreSQL and S3, and nothing else. Needs PostgreSQL.
    #[arg(long, value_name = "SUPERLINKS", value_parser = clap::value_parser!(u8).range(2..=9),
          conflicts_with_all = ["crowd", "imports", "against", "newest", "backup", "start", "large"])]
    cluster: Option<u8>,

    /// Many nodes on our SuperLink, and nothing else.
    #[arg(long, value_name = "NODES")]
    crowd: Option<usize>,

    /// With --crowd: how long they wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "crowd")]
    idle: u64,

    /// With --crowd: they keep a signature for two minutes, as our SuperNode does. Without, they sign
    /// each call, as pip's.
    #[arg(long, requires = "crowd")]
    our_nodes: bool,
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Extent {
    repetitions: usize,
    rounds: u32,
    poll_seconds: f64,
}

const QUICK: Extent = Extent {
    repetitions: 1,
    rounds: 3,
    poll_seconds: 3.0,
};
const FULL: Extent = Extent {
    // As often first as second.
    repetitions: 4,
    rounds: 6,
    poll_seconds: 5.0,
};

/// Builds everything, measures and tells.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut programs = vec!["flower-superlink", "flower-supernode", "flwr", "flwr-bench"];
    programs.extend(args.start.then_some("flwrd"));
    let programs = build::built(Profile::Release, &programs)?;
    let environment = FLOWER_1_22.prepare()?;
    let folder = tempfile::Builder::new().prefix("flower-bench-").tempdir()?;
    let keys = match args.cluster {
        Some(_) => cluster::Extent::of(args.quick).nodes,
        None => args.crowd.unwrap_or(load::MOST_NODES),
    };
    let mut stage = Stage::set(folder.path(), &programs, &environment, keys)?;
    let mut peer = Maker::Pip;
    if let Some(programs) = &args.against {
        stage = stage.with_earlier(programs)?;
        peer = Maker::Earlier;
    }
    if alone(args, &stage)? {
        return Ok(ExitCode::SUCCESS);
    }
    let extent = if args.quick { QUICK } else { FULL };
    let (figures, file) = if args.imports {
        println!("{}", build::description()?);
        let figures = imports::measure(&stage, &environment, extent)?;
        (figures, "bench-imports.json")
    } else if args.newest {
        let figures = against_newest(folder.path(), &programs, extent)?;
        println!("\n{figures}");
        (figures.to_json(), "bench-newest.json")
    } else {
        let figures = measure(&stage, peer, extent)?;
        let mut json = figures.to_json();
        let mut text = figures.to_string();
        if peer == Maker::Pip {
            let newest = against_newest(folder.path(), &programs, extent)?;
            json["newest"] = newest.to_json();
            text += &format!(
                "\nwith pip's newest release, whose app processes ours have, too\n{newest}"
            );
        }
        println!("\n{text}");
        (json, "bench.json")
    };
    let json = args
        .json
        .clone()
        .unwrap_or_else(|| build::target().join(file));
    fs::write(&json, format!("{figures:#}\n"))
        .with_context(|| format!("cannot write {}", json.display()))?;
    println!("as JSON in {}", json.display());
    Ok(ExitCode::SUCCESS)
}

/// Measures what comes alone, if that is asked for.
fn alone(args: &Args, stage: &Stage) -> Result<bool> {
    let described = build::description()?;
    if let Some(nodes) = args.crowd {
        println!("{described}");
        let of = match args.our_nodes {
            true => Nodes::Ours,
            false => Nodes::Pip,
        };
        crowd::measure(stage, of, nodes, args.idle)?;
    } else if args.backup {
        println!("{described}");
        backup::measure(stage)?;
    } else if let Some(megabytes) = args.large {
        println!("{described}");
        let times = if args.quick { 1 } else { 3 };
        large::measure(stage, Maker::Pip, megabytes, times)?;
        let newest = newest_stage(stage.folder(), stage.programs())?;
        large::measure(&newest, Maker::Newest, megabytes, times)?;
    } else if args.start {
        println!("{described}");
        start::measure(stage)?;
    } else if let Some(superlinks) = args.cluster {
        let table = cluster::measure(stage, superlinks, &cluster::Extent::of(args.quick))?;
        println!("\n{described}\n{table}");
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Rounds and memory beside pip's newest stack. Ours runs the app processes of that release. The load
/// generator is no ServerApp of flwr 1.35 and later, so that there are no rows of it.
fn against_newest(folder: &Path, programs: &Path, extent: Extent) -> Result<Figures> {
    let stage = newest_stage(folder, programs)?;
    let mut figures = Figures::against(Maker::Newest, build::description()?);
    for repetition in 1..=extent.repetitions {
        let mut makers = [Maker::Newest, Maker::Ours];
        makers.rotate_left(repetition % 2);
        for maker in makers {
            println!("{repetition}/{}: {maker}, newest ...", extent.repetitions);
            rounds::measure(&stage, maker, extent, &mut figures)?;
        }
    }
    Ok(figures)
}

/// A stage with pip's newest release.
fn newest_stage(folder: &Path, programs: &Path) -> Result<Stage> {
    let folder = folder.join("newest");
    fs::create_dir(&folder)?;
    let environment = FLOWER.prepare()?;
    Stage::set(&folder, programs, &environment, load::MOST_NODES)
}

fn measure(stage: &Stage, peer: Maker, extent: Extent) -> Result<Figures> {
    let times = extent.repetitions;
    let build = format!("{}, {times} times in turns", build::description()?);
    let mut figures = Figures::against(peer, build);
    for repetition in 1..=extent.repetitions {
        // Whoever is second finds warm caches.
        let mut makers = [peer, Maker::Ours];
        makers.rotate_left(repetition % 2);
        for maker in makers {
            println!("{repetition}/{}: {maker} ...", extent.repetitions);
            rounds::measure(stage, maker, extent, &mut figures)?;
            load::measure(stage, maker, extent, &mut figures)?;
        }
    }
    Ok(figures)
}
