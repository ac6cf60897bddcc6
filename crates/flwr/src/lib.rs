//! The `flwr` command: bundles a Flower app, has a SuperLink run it, shows its log and status,
//! and makes the certificates and keys of a federation. No daemon code lives here.
//!
//! It takes the arguments of flwr 1.20 to 1.22 and prints what they print, so that scripts can
//! swap one for the other. On purpose different: the exit status is 0 for success, 1 for failure
//! and 2 for wrong usage or configuration, and errors go to stderr.

use std::process::ExitCode;

use clap::ValueEnum as _;

use cli::JsonAs;

mod account;
pub mod cli;
mod commands;
mod connect;
mod error;
mod federation;
mod local;
mod local_federation;
mod project;
mod render;
mod resolved;
mod text;

/// The variable that says which types answers in JSON have.
const JSON: &str = "FLWR_JSON";

/// Runs one command to its end and says how it went.
#[must_use]
pub fn run(cli: cli::Cli) -> ExitCode {
    let mut output = render::Output::stdio(cli.command.format(), cli.verbose);
    match cli.json_as.map_or_else(json_as_of_environment, Ok) {
        Ok(json_as) => output.json_as(json_as),
        Err(error) => {
            output.fail(&error);
            return ExitCode::from(error.exit_code());
        }
    }
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(error::Error::Runtime)
        .and_then(|runtime| runtime.block_on(commands::execute(cli.command, &mut output)))
        .and_then(|()| output.finish());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.fail(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// The types of answers in JSON, as the environment says.
fn json_as_of_environment() -> error::Result<JsonAs> {
    match std::env::var(JSON) {
        Ok(text) if !text.is_empty() => {
            JsonAs::from_str(&text, true).map_err(|_| error::Error::JsonAs(text))
        }
        _ => Ok(JsonAs::default()),
    }
}
