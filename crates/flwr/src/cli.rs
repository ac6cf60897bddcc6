//! The arguments, with the names and defaults of flwr 1.20 to 1.22.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

mod cert;
mod federation;
mod local;
mod new;

pub use cert::{
    CertAuthorityArgs, CertCommand, CertInspectArgs, CertNewArgs, CertRequestArgs, CertServerArgs,
    CertSignArgs, Issuer, Usage,
};
pub use federation::{
    FederationAddArgs, FederationCommand, FederationDefaultArgs, FederationListArgs,
    FederationRemoveArgs, FederationShowArgs,
};
pub use local::{DownArgs, StatusArgs, UpArgs};
pub use new::{Framework, NewArgs};

/// Version of this program, its commit, and the generations of the wire it speaks.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    "; speaks flwr 1.15 to 1.22)"
);

/// Runs Flower apps on a federation.
#[derive(Debug, Parser)]
#[command(
    name = "flwr",
    bin_name = "flwr",
    display_name = "Flower version:",
    disable_version_flag = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "Exit status: 0 success, 1 failure, 2 wrong usage or configuration.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Tell which federation is used, why, and where it is described.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Print the version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// Reads the command line of this process; what is wrong with it, or was asked of it, ends the
/// process.
#[must_use]
pub fn parse() -> Cli {
    Cli::try_parse().unwrap_or_else(|error| suggested(error).exit())
}

/// With the command that was probably meant: clap itself takes `rnu` for nothing like `run`.
fn suggested(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    if error.get(ContextKind::SuggestedSubcommand).is_none() {
        let cli = Cli::command();
        let names = cli.get_subcommands().map(clap::Command::get_name);
        let nearest = flwr_core::config::nearest(typed, names).map(str::to_owned);
        if let Some(nearest) = nearest {
            let nearest = ContextValue::Strings(vec![nearest]);
            error.insert(ContextKind::SuggestedSubcommand, nearest);
        }
    }
    error
}

/// One verb each.
#[derive(Debug, Subcommand)]
#[command(version = VERSION)]
pub enum Command {
    /// Make an app to begin with.
    New(NewArgs),
    /// Bundle an app and have a SuperLink run it.
    Run(RunArgs),
    /// Bundle an app into a Flower App Bundle (FAB) file.
    Build(BuildArgs),
    /// Unpack a Flower App Bundle (FAB) file to where apps are run from.
    Install(InstallArgs),
    /// Show the log of a run.
    Log(LogArgs),
    /// List the runs of a federation.
    #[command(name = "list", visible_alias = "ls")]
    List(ListArgs),
    /// Stop a run.
    Stop(StopArgs),
    /// Log in to a SuperLink with user accounts.
    Login(LoginArgs),
    /// Forget who logged in.
    Logout(LogoutArgs),
    /// Tell where the artifacts of a run can be downloaded.
    Pull(PullArgs),
    /// Start a federation on this machine: a SuperLink and SuperNodes, with TLS and authentication.
    Up(UpArgs),
    /// Stop the federation of `flwr up`.
    Down(DownArgs),
    /// Tell whether the federation of `flwr up` is up.
    Status(StatusArgs),
    /// Federations of yours, for apps that name none and for any directory.
    Federation {
        /// What to do with them.
        #[command(subcommand)]
        command: FederationCommand,
    },
    /// Walk the way to a federation's SuperLink, and tell where it ends and what to do.
    Doctor(DoctorArgs),
    /// SuperNodes of a federation.
    Supernode {
        /// What to do with them.
        #[command(subcommand)]
        command: SupernodeCommand,
    },
    /// Certificates for TLS.
    Cert {
        /// What to do with them.
        #[command(subcommand)]
        command: CertCommand,
    },
    /// Keys by which SuperNodes authenticate.
    Key {
        /// What to do with them.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print a script by which a shell completes this command.
    Completions(CompletionsArgs),
    /// Print or write the manual pages.
    Man(ManArgs),
}

impl Command {
    /// The format in which this command was asked to answer.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Run(args) => args.format,
            Self::List(args) => args.format,
            Self::Stop(args) => args.format,
            Self::Supernode {
                command: SupernodeCommand::List(args),
            } => args.format,
            Self::Build(args) => args.format,
            Self::Install(args) => args.format,
            Self::Pull(args) => args.format,
            Self::Doctor(args) => args.format,
            Self::Status(args) => args.format,
            Self::Federation { command } => command.format(),
            Self::New(_)
            | Self::Login(_)
            | Self::Logout(_)
            | Self::Up(_)
            | Self::Down(_)
            | Self::Log(_)
            | Self::Cert { .. }
            | Self::Key { .. }
            | Self::Completions(_)
            | Self::Man(_) => Format::Default,
        }
    }
}

/// How to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Default,
    /// One JSON object on stdout, errors included.
    Json,
}

/// The app and the federation, which most commands need.
#[derive(Debug, Args)]
pub struct Target {
    /// Directory of the app, with its `pyproject.toml`.
    #[arg(default_value = ".")]
    pub app: PathBuf,
    /// Name of a federation under `[tool.flwr.federations]`, or of one that `flwr federation list`
    /// knows; the default one if absent.
    pub federation: Option<String>,
    /// Override settings of the federation.
    ///
    /// In `key=value` pairs, e.g. --federation-config 'address="superlink.example:9093"'.
    #[arg(long, value_name = "PAIRS")]
    pub federation_config: Vec<String>,
}

/// `flwr run`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr run                                  the app in this directory, on its default federation
  flwr run . my-federation --stream         and show its log
  flwr run -c 'num-server-rounds=5 lr=0.1'  with other values than in [tool.flwr.app.config]
  flwr run -c 'dataset=\"mnist\"'             strings are quoted
  flwr run -c overrides.toml                values from a TOML file
  flwr run --wait || echo it failed         in scripts")]
pub struct RunArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
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

/// `flwr log`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr log 9296828773063911005                     to the end of the run; Ctrl-C leaves it running
  flwr log 9296828773063911005 --show --tail 20    what there is, the last lines of it
  flwr log 9296828773063911005 --since 10m         what came in the last ten minutes, and what comes")]
pub struct LogArgs {
    /// The run.
    pub run_id: u64,
    /// Where.
    #[command(flatten)]
    pub target: Target,
    /// Follow the log until the run ends (the default).
    #[arg(long, overrides_with = "show")]
    pub stream: bool,
    /// Print what there is and leave.
    #[arg(long, overrides_with = "stream")]
    pub show: bool,
    /// Begin with the last N lines.
    #[arg(long, value_name = "N")]
    pub tail: Option<usize>,
    /// Begin at this time: so long ago (10m, 2h), or at a moment (2026-11-21T09:30:00Z).
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<SystemTime>,
}

/// `flwr list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr list                                        of the app's default federation, or of yours
  flwr ls . hospital --watch                       again and again
  flwr ls --format json | jq -r '.runs[0].status'  finished:completed")]
pub struct ListArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
    /// List all runs (the default).
    #[arg(long, conflicts_with = "run_id")]
    pub runs: bool,
    /// List this run only.
    #[arg(long, value_name = "RUN_ID")]
    pub run_id: Option<u64>,
    /// List them again every two seconds, until Ctrl-C.
    #[arg(long, short)]
    pub watch: bool,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr stop`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr stop 9296828773063911005 . hospital")]
pub struct StopArgs {
    /// The run.
    pub run_id: u64,
    /// Where.
    #[command(flatten)]
    pub target: Target,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr supernode`
#[derive(Debug, Subcommand)]
pub enum SupernodeCommand {
    /// List the SuperNodes that are registered.
    #[command(visible_alias = "ls")]
    List(SupernodeListArgs),
}

/// `flwr supernode list`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr supernode list . hospital --format json | jq '[.nodes[] | select(.status == \"online\")] | length'")]
pub struct SupernodeListArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key pair for each SuperNode, and the list of public keys for the SuperLink.
    ///
    /// Writes keys/client_credentials_1 and keys/client_credentials_1.pub, and so on, and
    /// keys/client_public_keys.csv.
    New(KeyNewArgs),
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

/// `flwr login`
#[derive(Debug, Args)]
#[command(after_help = "\
The federation has `enable-user-auth = true`. The tokens are kept, for you alone, in `.flwr` of the
app, or in Flower's home directory for federations of `flwr federation list`.")]
pub struct LoginArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// `flwr logout`
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
}

/// `flwr doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 everything works, 1 something does not.

Examples:
  flwr doctor                       the default federation
  flwr doctor hospital              one of `flwr federation list`
  flwr doctor --format json | jq '.findings[] | select(.outcome == \"failed\")'")]
pub struct DoctorArgs {
    /// Name of the federation; the default one if absent.
    pub federation: Option<String>,
    /// Directory of an app, whose federations count too.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub app: PathBuf,
    /// Override settings of the federation, in `key=value` pairs.
    #[arg(long, value_name = "PAIRS")]
    pub federation_config: Vec<String>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr pull`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr pull . hospital --run-id 9296828773063911005")]
pub struct PullArgs {
    /// Where.
    #[command(flatten)]
    pub target: Target,
    /// The run.
    #[arg(long, value_name = "RUN_ID")]
    pub run_id: u64,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// A time that has been: a moment, or a span until now.
fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text) {
        return Ok(moment);
    }
    let span = humantime::parse_duration(text)
        .map_err(|_| "neither a span like `10m` nor a moment like `2026-11-21T09:30:00Z`")?;
    SystemTime::now()
        .checked_sub(span)
        .ok_or_else(|| "that is before time began".to_owned())
}

/// `flwr key new`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr key new --count 5           a pair for each SuperNode")]
pub struct KeyNewArgs {
    /// How many key pairs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
}

/// `flwr completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr completions bash > ~/.local/share/bash-completion/completions/flwr
  flwr completions zsh > ~/.zfunc/_flwr          with `fpath+=~/.zfunc` before compinit in ~/.zshrc
  flwr completions fish > ~/.config/fish/completions/flwr.fish")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `flwr man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr man | man -l -                             the page of flwr itself
  flwr man --out ~/.local/share/man/man1          and those of its commands: `man flwr-run`")]
pub struct ManArgs {
    /// Write a page for each command into this directory, which is made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
