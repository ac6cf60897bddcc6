//! The `flwr` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    flwr::run(flwr::cli::parse())
}
