//! `flower-server-app server:app`: makes a run on a SuperLink, executes the ServerApp that lies in
//! a directory here, and leaves with the run's result. Flower's command until 1.10; ours works
//! with SuperLinks of ours.
//!
//! - `args` what was typed
//! - `run` a run, from its start to its end
//! - `tunnel` the way of the ServerApp process, which speaks plaintext, to a SuperLink that speaks
//!   TLS

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use flwr_core::printable::lines;
use flwr_daemon::apps::keeper;
use flwr_daemon::limits;
use flwr_daemon::telemetry::{self, Format};
use tracing::warn;

mod args;
mod run;
mod tunnel;

use args::Args;
use run::Run;

/// For flags and files that cannot be used.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(ended) = keeper::run_if_asked() {
        return ended;
    }
    limits::tighten_umask();
    let args = Args::parse();
    let level = args.verbose.then_some("debug");
    let _logs = match telemetry::init(level, Format::Text, None) {
        Ok(logs) => logs,
        Err(error) => return fail(&error.into(), USAGE),
    };
    warn!("{}", args.todays_command());
    match Run::prepare(&args) {
        Err(error) => fail(&error, USAGE),
        Ok(run) => match start(run) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
    }
}

fn start(run: Run) -> Result<()> {
    let runtime = limits::runtime()?;
    let ended = runtime.block_on(run.execute());
    runtime.shutdown_background();
    ended
}

#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    eprintln!("flower-server-app: error: {}", lines(&format!("{error:#}")));
    ExitCode::from(status)
}
