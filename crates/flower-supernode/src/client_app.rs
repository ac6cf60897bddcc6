//! `flower-client-app client:app`: a SuperNode that runs the ClientApp in a directory here,
//! whatever app a run has. Flower's command until 1.10.
//!
//! The program `flower-client-app` is small: it executes `flower-supernode`, which finds here what it
//! does under that name. So an installation has the code of a SuperNode once.

use std::process::ExitCode;

use clap::Parser;
use flwr_daemon::apps::fab_of_dir;
use flwr_daemon::telemetry::{self, Format};
use tracing::warn;

use crate::args::Args as Supernode;
use crate::config::Config;
use crate::program::Program;

mod args;

use args::Args;

/// The program's name.
pub const NAME: &str = "flower-client-app";

const PROGRAM: Program = Program(NAME);

/// Runs a SuperNode with the flags of `flower-client-app` that were typed.
#[must_use]
pub fn run() -> ExitCode {
    let args = Args::parse();
    let _logs = match telemetry::init(None, Format::Text, None) {
        Ok(logs) => logs,
        Err(error) => return PROGRAM.refuse(&error),
    };
    let today = args.todays_flags();
    let line = today[1..].join(" ");
    warn!(
        "flower-client-app is deprecated: today's command is `flower-supernode {line}`, and the \
         app comes with `flwr run`"
    );
    let app = match fab_of_dir(&args.client_app, &args.dir) {
        Ok(app) => app,
        Err(error) => return PROGRAM.refuse(&error),
    };
    let config = Supernode::try_parse_from(&today)
        .map_err(|error| error.exit())
        // Not among the flags that are shown: there may be a password in it.
        .map(|today| Supernode {
            proxy: args.proxy,
            ..today
        })
        .and_then(Config::try_from);
    match config {
        Ok(config) => PROGRAM.run(
            Config {
                app: Some(app),
                ..config
            },
            false,
        ),
        Err(error) => PROGRAM.refuse(&error),
    }
}
