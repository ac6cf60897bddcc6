//! `cargo xtask fuzz`: every parser of bytes from elsewhere, for a moment.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::support::build::{self, Profile};

/// `cargo xtask fuzz`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Handed to `flwr-fuzz`; `--help` tells more.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    forwarded: Vec<String>,
}

/// Builds the targets and plays them (`crates/flwr-fuzz`), once `fuzz/Cargo.lock` is found to be
/// current: cargo-fuzz would change it otherwise.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut metadata = build::cargo();
    metadata.args(["metadata", "--locked", "--quiet", "--format-version", "1"]);
    metadata.args(["--manifest-path", "fuzz/Cargo.toml"]);
    build::succeed(metadata.stdout(Stdio::null())).context(
        "fuzz/Cargo.lock is not current: `cargo metadata --manifest-path fuzz/Cargo.toml` renews it",
    )?;
    let programs = build::built(Profile::Dev, &["flwr-fuzz"])?;
    build::outcome(Command::new(programs.join("flwr-fuzz")).args(&args.forwarded))
}
