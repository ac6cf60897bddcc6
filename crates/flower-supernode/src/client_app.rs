//! `flower-client-app client:app`: a SuperNode that runs the ClientApp in a directory here,
//! whatever app a run has. Flower's command until 1.10.
//!
//! The program `flower-client-app` is small: it executes `flower-supernode`, which finds here what it
//! does under that name. So an installation has the code of a SuperNode once.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use flwr_core::fab::{self, AppRef, Fab};
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

/// Why the app cannot be run.
#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("--dir {0}")]
    Dir(String, #[source] std::io::Error),
    #[error("--dir {0}: its name is not UTF-8 text")]
    NotText(String),
    #[error(transparent)]
    Fab(#[from] fab::FabError),
}

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
    let app = match bundle(&args.client_app, &args.dir) {
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

fn bundle(app: &AppRef, dir: &Path) -> Result<Fab, AppError> {
    let shown = || dir.display().to_string();
    let absolute = dir
        .canonicalize()
        .map_err(|error| AppError::Dir(shown(), error))?;
    let text = absolute.to_str();
    let text = text.ok_or_else(|| AppError::NotText(shown()))?;
    Ok(fab::of_directory(app, text)?)
}
