//! `flwrd`: chooses whose programs PATH finds, this project's or pip's, and runs this project's by
//! name. pip's flwr owns the names `flwr`, `flower-superlink` and `flower-supernode` in its
//! environment, so this program is the only one that an installation puts beside pip's.
//!
//! - `cli` what was typed
//! - `environment` PATH, changed
//! - `which` what PATH finds
//! - `running` daemons that run
//! - `execute` this project's programs, started
//! - `error` what can fail

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use flwr_core::printable::lines;
use flwr_programs::{Installation, path_variable};

mod cli;
mod environment;
mod error;
mod execute;
mod running;
mod which;

use cli::{Cli, Command, EnvArgs, Format, WhichArgs};
use error::Error;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // `flwrd which | head -1` has read what it wanted.
        Err(Error::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn run() -> Result<(), Error> {
    // Arguments of a program are the program's: clap would read `--` and `--help` of them.
    let mut typed = std::env::args_os().skip(1);
    let word = typed.next();
    if let Some(program) = word.as_deref().and_then(cli::program) {
        return Err(execute::execute(&installation()?, program, typed));
    }
    match Cli::parse().command {
        Command::Env(args) => env(&args),
        Command::Which(args) => which(&args),
        // `execute` above has replaced this process.
        Command::Run(program) => Err(execute::execute(&installation()?, program.name(), [])),
    }
}

fn env(args: &EnvArgs) -> Result<(), Error> {
    let changed = environment::changed(&installation()?, args, &path_variable())?;
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(&environment::line(&changed))
        .and_then(|()| stdout.flush())
        .map_err(Error::Stdout)?;
    if stdout.is_terminal() {
        let typed = environment::command(args);
        tell(&format!("a shell does that by: eval \"$({typed})\""));
    }
    Ok(())
}

fn which(args: &WhichArgs) -> Result<(), Error> {
    let found = which::Report::of(&path_variable(), own().ok().as_deref());
    let text = match args.format {
        Format::Default => found.to_string(),
        Format::Json => found.json().to_string() + "\n",
    };
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(Error::Stdout)
}

fn installation() -> Result<Installation, Error> {
    let own = own()?;
    Installation::of_flwrd(&own).ok_or(Error::NoInstallation(own))
}

/// This program's file. A link to the program, or another name, leads to the same file. Where there is
/// no `/proc`, as in a root that has nothing but programs, the path counts by which this was started.
fn own() -> Result<PathBuf, Error> {
    let by_path = |error| {
        let typed = std::env::args_os().next().map(PathBuf::from);
        typed.ok_or(error)
    };
    let own = std::env::current_exe().or_else(by_path);
    own.and_then(|own| own.canonicalize()).map_err(Error::Own)
}

#[expect(clippy::print_stderr, reason = "stdout is for the shell")]
fn tell(text: &str) {
    eprintln!("flwrd: {}", lines(text));
}

fn fail(error: &Error) -> ExitCode {
    let mut chain = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        chain += &format!(": {source}");
    }
    tell(&format!("error: {chain}"));
    ExitCode::from(error.exit_code())
}
