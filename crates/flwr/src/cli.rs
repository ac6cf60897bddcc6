//! The arguments, with the names and defaults of flwr 1.20 to 1.22.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use flwr_core::proxy::ProxySetting;

mod app;
mod cert;
mod federation;
mod join_token;
mod link;
mod local;
mod mistake;
mod new;
mod runs;
mod supernode;
mod value;

pub use app::{BuildArgs, InstallArgs, RunArgs, RunCommand};
pub use cert::{
    CertAuthorityArgs, CertCommand, CertInspectArgs, CertNewArgs, CertRequestArgs, CertServerArgs,
    CertSignArgs, Issuer, Usage,
};
pub use federation::{
    FederationAddArgs, FederationCommand, FederationDefaultArgs, FederationListArgs,
    FederationRemoveArgs, FederationShowArgs, NotOfferedArgs,
};
pub use join_token::{JoinTokenCommand, JoinTokenListArgs, JoinTokenNewArgs, JoinTokenRevokeArgs};
pub use link::{DoctorArgs, LoginArgs, LogoutArgs};
pub use local::{DownArgs, StatusArgs, UpArgs};
pub use new::{Framework, NewArgs};
pub use runs::{DeleteArgs, ListArgs, LogArgs, PullArgs, StopArgs};
pub use supernode::{
    SupernodeCommand, SupernodeListArgs, SupernodeRegisterArgs, SupernodeUnregisterArgs,
};
pub use value::RunName;

/// Version of this program, its commit, and the generations of the wire it speaks.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("FLWR_COMMIT"),
    "; speaks flwr 1.15 to 1.43)"
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
#[command(
    after_help = "Exit status: 0 success, 1 failure, 2 wrong usage or configuration, 130 Ctrl-C while watching a run."
)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Tell which federation is used, why, and where it is described.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Types of JSON: `1.22`, or `newest`, where a run's id is text [default: $FLWR_JSON, or 1.22].
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "RELEASE",
        hide_possible_values = true
    )]
    pub json_as: Option<JsonAs>,
    /// Print the version.
    #[arg(short = 'V', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// Reads the command line of this process. An error ends the process, and so does a request for
/// help or the version.
#[must_use]
pub fn parse() -> Cli {
    let checked = Cli::try_parse().and_then(Cli::checked);
    checked.unwrap_or_else(|error| {
        let words: Vec<_> = std::env::args_os().skip(1).collect();
        let words = words.iter().filter_map(|word| word.to_str());
        mistake::suggested(error, words).exit()
    })
}

impl Cli {
    /// Checks what the types of the arguments leave open.
    fn checked(self) -> Result<Self, clap::Error> {
        if let Command::Supernode {
            command: SupernodeCommand::JoinToken { command },
        } = &self.command
        {
            command.checked()?;
        }
        Ok(self)
    }
}

/// The commands.
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
    /// The format of this command's answer.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::Run(args) => args.asked_format(),
            Self::List(args) => args.format,
            Self::Stop(args) => args.format,
            Self::Supernode { command } => command.format(),
            Self::Build(args) => args.format,
            Self::Install(args) => args.format,
            Self::Pull(args) => args.format,
            Self::Doctor(args) => args.at.format,
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

/// The format of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Default,
    /// One JSON object on stdout, errors included.
    Json,
}

/// The release whose types an answer in JSON has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum JsonAs {
    /// The id of a run is a number.
    #[default]
    #[value(name = "1.22")]
    V1_22,
    /// The id of a run is text.
    Newest,
}

/// The app and the federation, for most commands.
#[derive(Clone, Debug, Args)]
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
    /// Connect through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none.
    ///
    /// To this machine itself there is none. If absent, `proxy` of the federation says, or else
    /// $grpc_proxy, $https_proxy or $http_proxy, but for the hosts in $no_grpc_proxy or $no_proxy.
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,
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

/// `flwr key new`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  flwr key new --count 5           a pair for each SuperNode")]
pub struct KeyNewArgs {
    /// How many key pairs.
    #[arg(long, default_value_t = 1, value_parser = value::whole(1..=10_000), allow_negative_numbers = true)]
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
