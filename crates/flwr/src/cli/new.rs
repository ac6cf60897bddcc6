//! The arguments of `flwr new`.

use clap::{Args, ValueEnum};

/// `flwr new`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flwr new                                 asks for name and framework
  flwr new my-app numpy                    makes the directory my-app
  cd my-app && flwr run . --stream         runs it, while `flwr up` is up")]
pub struct NewArgs {
    /// Name of the app, and of the directory that is made for it; asked for if absent.
    #[arg(value_name = "NAME")]
    pub app_name: Option<String>,
    /// What it trains with; asked for if absent.
    #[arg(value_enum, ignore_case = true, value_name = "FRAMEWORK")]
    pub kind: Option<Framework>,
    /// The same, as pip's `flwr` has it.
    #[arg(long, value_enum, ignore_case = true, conflicts_with = "kind")]
    pub framework: Option<Framework>,
    /// Who publishes the app; the name of this user if absent.
    #[arg(long, visible_alias = "publisher", value_name = "NAME")]
    pub username: Option<String>,
}

/// What an app trains with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Framework {
    /// NumPy alone.
    #[value(name = "NumPy")]
    NumPy,
    /// scikit-learn.
    #[value(name = "sklearn", alias = "scikit-learn")]
    Sklearn,
    /// PyTorch.
    #[value(name = "PyTorch")]
    PyTorch,
    /// Nothing: messages there and back.
    #[value(name = "minimal")]
    Minimal,
}
