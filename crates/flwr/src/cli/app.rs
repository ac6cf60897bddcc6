//! The arguments of `flwr run`, `flwr build` and `flwr install`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DeleteArgs, Format, Target};

/// `flwr run`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  flwr run                                  the app in this directory, on its default federation
  flwr run . my-federation --stream         and show its log
  flwr run -c 'num-server-rounds=5 lr=0.1'  with other values than in [tool.flwr.app.config]
  flwr run -c 'dataset=\"mnist\"'             strings are quoted
  flwr run -c overrides.toml                values from a TOML file
  flwr run --wait || echo it failed         in scripts
  flwr run delete 9296828773063911005       a finished run, with its log; an app's folder of that
                                            name is ./delete")]
pub struct RunArgs {
    /// The command on an existing run.
    #[command(subcommand)]
    pub command: Option<RunCommand>,
    /// The app and the federation.
    #[command(flatten)]
    pub target: Target,
    /// Id of the federation at the SuperLink in which to run, `@account/name`; its default one if absent.
    #[arg(long = "federation", value_name = "ID")]
    pub federation_id: Option<String>,
    /// Override values of the app's configuration (repeatable).
    ///
    /// Pairs are separated by spaces; values are TOML: 'rounds=3 lr=0.1 fast=true name="x"'. Dotted
    /// keys reach into tables: 'optimizer.lr=0.1'. Every key must exist under
    /// `[tool.flwr.app.config]`. Instead of pairs, the path of one .toml file can be given.
    #[arg(long, short = 'c', value_name = "PAIRS|FILE")]
    pub run_config: Vec<String>,
    /// Show the log of the run until it ends; the exit status then tells how it ended.
    #[arg(long)]
    pub stream: bool,
    /// Wait until the run ends; the exit status then tells how it ended.
    #[arg(long)]
    pub wait: bool,
    /// Bundle the app and check everything, but send nothing.
    #[arg(long, conflicts_with_all = ["stream", "wait"])]
    pub dry_run: bool,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr run <command>`
#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// Delete a finished run and its log from the SuperLink.
    Delete(DeleteArgs),
}

impl RunArgs {
    /// The format of the answer.
    pub(super) const fn asked_format(&self) -> Format {
        match &self.command {
            Some(RunCommand::Delete(args)) => args.format,
            None => self.format,
        }
    }
}

/// `flwr build`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr build                       PUBLISHER.NAME.VERSION.HASH.fab, in this directory
  flwr build --app path/to/app --format json | jq -r '.\"fab-filename\"'")]
pub struct BuildArgs {
    /// Directory of the app; this one if absent.
    #[arg(long, value_name = "PATH")]
    pub app: Option<PathBuf>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr install`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr install me.my-app.1-0-0.363c4df9.fab")]
pub struct InstallArgs {
    /// The bundle: a file that `flwr build` wrote.
    #[arg(value_name = "FAB")]
    pub source: PathBuf,
    /// Flower's directory [default: $FLWR_HOME, $XDG_DATA_HOME/.flwr or ~/.flwr].
    #[arg(long, value_name = "DIR")]
    pub flwr_dir: Option<PathBuf>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}
