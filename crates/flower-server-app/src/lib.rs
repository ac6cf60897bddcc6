//! `flower-server-app server:app`: makes a run on a SuperLink, executes the ServerApp that lies in
//! a directory here, and leaves with the run's result. Flower's command until 1.10; ours works
//! with SuperLinks of ours.
//!
//! The program `flower-server-app` is small: it executes `flower-superlink`, which does under that name
//! what stands here. So an installation has the code once.
//!
//! - `args` what was typed
//! - `run` a run, from its start to its end, and `error` why there is none
//! - `tunnel` the way of the ServerApp process, which speaks plaintext, to a SuperLink that speaks
//!   TLS

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use flwr_core::cause::chain;
use flwr_core::printable::lines;
use flwr_daemon::limits;
use flwr_daemon::telemetry::{self, Format};
use tracing::warn;

mod args;
mod error;
mod run;
mod tunnel;

use args::Args;
use error::RunError;
use run::Run;

/// The program's name.
pub const NAME: &str = "flower-server-app";
/// For flags and files that cannot be used.
const USAGE: u8 = 2;

/// Makes the run that was typed.
#[must_use]
pub fn run() -> ExitCode {
    limits::tighten_umask();
    let args = Args::parse();
    let level = args.verbose.then_some("debug");
    let _logs = match telemetry::init(level, Format::Text, None) {
        Ok(logs) => logs,
        Err(error) => return fail(&error, USAGE),
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

fn start(run: Run) -> Result<(), RunError> {
    let runtime = limits::runtime()?;
    let ended = runtime.block_on(run.execute());
    runtime.shutdown_background();
    ended
}

#[expect(clippy::print_stderr, reason = "the last word of a program that ends")]
fn fail(error: &(dyn Error + 'static), status: u8) -> ExitCode {
    eprintln!("{NAME}: error: {}", lines(&chain(error)));
    ExitCode::from(status)
}
