//! `flower-superlink --import`, and what it prints.

use std::io;
use std::path::Path;

use flwr_daemon::answer;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::args::Args;
use crate::config::{self, ConfigError};
use crate::store::{Import, ImportError};

/// Why a state is not imported.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The flags.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing could be begun.
    #[error("the work could not begin")]
    Runtime(#[source] io::Error),
    /// The old state, or the new place.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl ClusterError {
    /// Whether the flags are at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) => true,
            Self::Import(error) => error.is_usage(),
            Self::Runtime(_) => false,
        }
    }
}

/// Imports a state, if the flags say so.
///
/// # Errors
/// If the flags do not allow that, or it fails.
pub fn run(args: &Args) -> Option<Result<(), ClusterError>> {
    let file = args.cluster.import.as_ref();
    file.map(|file| import(args, file))
}

fn runtime() -> Result<Runtime, ClusterError> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(ClusterError::Runtime)
}

fn import(args: &Args, file: &Path) -> Result<(), ClusterError> {
    let places = config::places(args)?;
    let import = Import {
        file: file.to_owned(),
        storage: args.cluster.import_storage_dir.clone(),
    };
    let imported = runtime()?.block_on(places.import(&import, &|text| answer::line(text)))?;
    answer::line(format!("imported {}: {imported}", file.display()));
    answer::line(format!(
        "start flower-superlink with the --database and the storage of this import; {} and its files were not changed, and no flower-superlink may work with them any more",
        file.display()
    ));
    Ok(())
}
