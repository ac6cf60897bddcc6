//! `cargo xtask install`, `session`, `demo`, `test`, `lint`, `deny`, `fuzz`, `faults`, `interop`, `compare`,
//! `upgrade`, `bench`, `soak`, `docs`, `fixture`, `release` and `swap`: what people and CI run.
//!
//! They need nothing but the Rust toolchain, a C compiler, Python 3.11 or later and the package
//! registries; what they prepare is kept under `target/` and used again.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures time and waits with deadlines"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command for people"
)]

mod checks;
mod demos;
mod docs;
mod install;
mod measure;
mod releases;
mod support;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::checks::{compare, deny, faults, fuzz, interop, lint, test, upgrade};
use crate::demos::{demo, session};
use crate::measure::{bench, soak};
use crate::releases::{fixture, release, swap};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the programs and put them where a shell finds them, in ~/.cargo/bin: flwr,
    /// flower-superlink, flower-supernode, and the older flower-client-app and flower-server-app.
    Install(install::Args),
    /// Play what a new user types, for real, and print what is seen; with --write into the README.
    Session(session::Args),
    /// Run the example on a federation with TLS and authentication, here and now.
    ///
    /// Builds the binaries, makes certificates and keys in a temporary directory, starts a
    /// SuperLink and two SuperNodes, runs examples/flower-authentication and sums up the rounds.
    Demo(demo::Args),
    /// Run all tests, the end-to-end ones with the real Python peers included.
    Test(test::Args),
    /// Refuse Rust files over 400 lines, names in rooms that may not use them, promises of SECURITY.md
    /// without a test, links that lead nowhere, and files that are binary or over 256 KB, unless
    /// listed.
    Lint(lint::Args),
    /// Check licences, sources and known holes of all crates with cargo-deny, if it is installed.
    Deny(deny::Args),
    /// Parse seeds, corpora and mutations of both with every parser of bytes from elsewhere, and
    /// print the executions. Needs no nightly toolchain; `fuzz/` has the targets for cargo-fuzz.
    Fuzz(fuzz::Args),
    /// Kill daemons, cut and stall connections and fill disks while a federation works, and count
    /// what is lost (nothing) and what is done twice (nothing).
    Faults(faults::Args),
    /// Run every pair of our programs and pip's of flwr 1.8 to 1.43 together, keep what works in
    /// tests/interop.json, and make docs/interop.md of it.
    Interop(interop::Args),
    /// Print what a new release of flwr has on its wire and command line that a known one has not, and
    /// the other way round.
    Compare(compare::Args),
    /// Upgrade SuperNodes of five releases, one after the other, while rounds go on, and count what is
    /// lost (nothing) and which releases took part.
    Upgrade(upgrade::Args),
    /// Play many runs, and one of many rounds, and print what they leave: memory, open files,
    /// threads, processes and disk.
    Soak(soak::Args),
    /// Add the states of today's versions to those that every later program must open.
    Fixture(fixture::Args),
    /// Set the version and the changelog of a release, run the checks, and print what to tag.
    Release(release::Args),
    /// Make a book of the documents, in the order of docs/SUMMARY.md.
    Docs(docs::Args),
    /// Replace the programs of an earlier commit by those of now, and back, while a run goes on.
    Swap(swap::Args),
    /// Measure rounds, calls, throughput and memory, ours and pip's flwr 1.22 in turns, and then pip's
    /// newest.
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Install(args) => install::run(&args),
        Command::Session(args) => session::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Deny(args) => deny::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Faults(args) => faults::run(&args),
        Command::Interop(args) => interop::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Upgrade(args) => upgrade::run(&args),
        Command::Docs(args) => docs::run(&args),
        Command::Fixture(args) => fixture::run(&args),
        Command::Release(args) => release::run(&args),
        Command::Swap(args) => swap::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Soak(args) => soak::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
