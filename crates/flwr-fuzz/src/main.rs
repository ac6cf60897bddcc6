//! `flwr-fuzz`: plays every target for a moment, and prints the executions.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for people"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io};

use clap::Parser;
use flwr_fuzz::smoke::{self, Bounds, Failure};
use flwr_fuzz::{TARGETS, Target};

/// Parse seeds, corpora and mutations of both with every parser of bytes from elsewhere.
#[derive(Parser)]
#[command(name = "flwr-fuzz", max_term_width = 100)]
struct Args {
    /// Executions of each target at most.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    executions: usize,

    /// Seconds of each target at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.5)]
    seconds: f64,

    /// Determines the mutations.
    #[arg(long, value_name = "SEED", default_value_t = 7)]
    seed: u64,

    /// One target.
    #[arg(long, value_name = "TARGET")]
    only: Option<String>,

    /// Write the seeds of each target into its corpus, for cargo-fuzz, and end.
    #[arg(long)]
    write_seeds: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let fuzz = crates
        .and_then(Path::parent)
        .unwrap_or(Path::new("."))
        .join("fuzz");
    let wanted = |target: &&Target| args.only.as_deref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(wanted).collect();
    if targets.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!(
            "error: --only: there is no such target; there are {}",
            names.join(", ")
        );
        return ExitCode::from(2);
    }
    let mut is_sound = true;
    for target in targets {
        let corpus = fuzz.join("corpus").join(target.name);
        is_sound &= match args.write_seeds {
            true => report_written(target, &corpus),
            false => report_played(target, &corpus, &fuzz.join("artifacts"), &args),
        };
    }
    if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn report_played(target: &Target, corpus: &Path, artifacts: &Path, args: &Args) -> bool {
    let bounds = Bounds {
        executions: args.executions,
        time: Duration::from_secs_f64(args.seconds),
        seed: args.seed,
    };
    let name = target.name;
    match smoke::play(target, corpus, artifacts, bounds) {
        Ok(played) => {
            let smoke::Played { inputs, executions } = played;
            println!(
                "{name:<13} {executions:>6} executions of {inputs:>3} inputs: {}",
                target.what
            );
            true
        }
        Err(Failure::Panicked(path)) => {
            eprintln!(
                "error: {name} panicked; the input is kept in {}",
                path.display()
            );
            false
        }
        Err(Failure::Corpus(files, bytes)) => {
            eprintln!(
                "error: the corpus of {name} has {files} files and {bytes} bytes: \
                 `cargo fuzz cmin {name}` keeps what it needs"
            );
            false
        }
    }
}

fn report_written(target: &Target, corpus: &Path) -> bool {
    match write_seeds(target, corpus) {
        Ok(paths) => {
            println!("{}: {} seeds", target.name, paths.len());
            true
        }
        Err(error) => {
            eprintln!("error: could not write {}: {error}", corpus.display());
            false
        }
    }
}

fn write_seeds(target: &Target, corpus: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(corpus)?;
    let seeds = (target.seeds)().into_iter().enumerate();
    let written = seeds.map(|(number, seed)| {
        let path = corpus.join(format!("seed-{number}"));
        fs::write(&path, seed).map(|()| path)
    });
    written.collect()
}
