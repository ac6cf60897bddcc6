//! The `flwr` command.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    flwr::run(flwr::cli::Cli::parse())
}
