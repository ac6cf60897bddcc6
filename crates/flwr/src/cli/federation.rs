//! The arguments of `flwr federation`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use flwr_core::proxy::ProxySetting;

use super::link::split_words;
use super::{Format, Target};

/// `flwr federation`
#[derive(Debug, Subcommand)]
#[command(after_help = "\
They are kept in `config.toml` in Flower's home directory, where pip's `flwr` 1.26 and later finds
them too; those of an app's pyproject.toml come before them. FLWR_FEDERATION names the one to use where none is typed;
FLWR_SUPERLINK_ADDRESS and FLWR_ROOT_CERTIFICATES describe one by themselves.")]
pub enum FederationCommand {
    /// List the federations that can be named here, or those of a SuperLink.
    #[command(visible_alias = "ls")]
    List(FederationListArgs),
    /// Keep a federation under a name.
    Add(FederationAddArgs),
    /// Forget a federation.
    #[command(visible_alias = "rm")]
    Remove(FederationRemoveArgs),
    /// Tell which federation is the default one, or make one that.
    Default(FederationDefaultArgs),
    /// Show a federation, and why it is the one that is used.
    Show(FederationShowArgs),
    /// Make a federation at a SuperLink.
    #[command(hide = true)]
    Create(NotOfferedArgs),
    /// End a federation.
    #[command(hide = true)]
    Archive(NotOfferedArgs),
    /// Put a SuperNode into a federation.
    #[command(hide = true)]
    AddSupernode(NotOfferedArgs),
    /// Take a SuperNode out of a federation.
    #[command(hide = true)]
    RemoveSupernode(NotOfferedArgs),
    /// Take an account out of a federation.
    #[command(hide = true)]
    RemoveAccount(NotOfferedArgs),
    /// Invite accounts to a federation.
    #[command(hide = true)]
    Invite(NotOfferedArgs),
    /// Configure the simulations of a federation.
    #[command(hide = true)]
    SimulationConfig(NotOfferedArgs),
}

/// The arguments of a command of later releases for what this one does not offer: any.
#[derive(Debug, Args)]
pub struct NotOfferedArgs {
    /// What was typed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl NotOfferedArgs {
    /// The format of the refusal.
    fn format(&self) -> Format {
        let asks = |pair: &[String]| pair[0] == "--format" && pair[1].eq_ignore_ascii_case("json");
        let in_one = |word: &String| word.eq_ignore_ascii_case("--format=json");
        if self.words.windows(2).any(asks) || self.words.iter().any(in_one) {
            Format::Json
        } else {
            Format::Default
        }
    }
}

impl FederationListArgs {
    /// The SuperLink to ask. `None`: what is described here is meant.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        let (app, federation) = split_words(&self.app, self.superlink.as_ref());
        if federation.is_none() && self.federation_id.is_none() {
            return None;
        }
        Some(Target {
            app,
            federation,
            federation_config: Vec::new(),
            proxy: None,
        })
    }
}

impl FederationCommand {
    /// The format of the answer.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::List(args) => args.format,
            Self::Show(args) => args.format,
            Self::Create(args)
            | Self::Archive(args)
            | Self::AddSupernode(args)
            | Self::RemoveSupernode(args)
            | Self::RemoveAccount(args)
            | Self::Invite(args)
            | Self::SimulationConfig(args) => args.format(),
            Self::Add(_) | Self::Remove(_) | Self::Default(_) => Format::Default,
        }
    }
}

/// `flwr federation list`
#[derive(Debug, Args)]
#[command(after_help = "\
Without NAME and --federation: the federations that are described in the app and in `config.toml`.

Examples:
  flwr federation list hospital                              what its SuperLink has
  flwr federation list hospital --federation @none/default   people, SuperNodes and runs of one")]
pub struct FederationListArgs {
    /// Directory of the app, with its `pyproject.toml`.
    #[arg(default_value = ".")]
    pub app: PathBuf,
    /// Ask the SuperLink of this federation which federations it has.
    #[arg(value_name = "NAME")]
    pub superlink: Option<String>,
    /// Ask the SuperLink what is in the federation with this id.
    #[arg(long = "federation", value_name = "ID")]
    pub federation_id: Option<String>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}

/// `flwr federation add`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr federation add hospital --address superlink.example:9093 --root-certificates ca.crt --default
  flwr federation add lab --address 10.0.0.7:9093 --insecure")]
pub struct FederationAddArgs {
    /// Its name.
    pub name: String,
    /// The Control API of its SuperLink.
    #[arg(long, value_name = "HOST:PORT")]
    pub address: String,
    /// PEM file with the certificates to trust; the system's if absent.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub root_certificates: Option<PathBuf>,
    /// Speak plaintext. Everything can be read and changed on the way.
    #[arg(long)]
    pub insecure: bool,
    /// Your certificate, if the SuperLink asks for one (PEM).
    #[arg(
        long,
        value_name = "FILE",
        requires = "client_key",
        conflicts_with = "insecure"
    )]
    pub client_certificate: Option<PathBuf>,
    /// The private key of your certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub client_key: Option<PathBuf>,
    /// The name that the SuperLink's certificate must be for, if it is not that of its address.
    #[arg(long, value_name = "HOST", conflicts_with = "insecure")]
    pub server_name: Option<String>,
    /// Connect to it through this HTTP proxy, http://[USER:PASSWORD@]HOST:PORT, or through none.
    #[arg(long, value_name = "URL|none")]
    pub proxy: Option<ProxySetting>,
    /// Its users log in, with `flwr login`.
    #[arg(long, conflicts_with = "insecure")]
    pub enable_user_auth: bool,
    /// Use it where no other is named.
    #[arg(long)]
    pub default: bool,
    /// Write over one of that name.
    #[arg(long)]
    pub force: bool,
}

/// `flwr federation remove`
#[derive(Debug, Args)]
pub struct FederationRemoveArgs {
    /// Its name.
    pub name: String,
}

/// `flwr federation default`
#[derive(Debug, Args)]
pub struct FederationDefaultArgs {
    /// The one to make the default; without it, tell which one is.
    pub name: Option<String>,
}

/// `flwr federation show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr federation show                 the one that is used where none is named, and why
  flwr federation show path/to/app hospital --format json")]
pub struct FederationShowArgs {
    /// Which.
    #[command(flatten)]
    pub target: Target,
    /// How to answer.
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    pub format: Format,
}
