//! The flags for backups.

use std::path::PathBuf;

use clap::Args;

/// The flags for backups.
#[derive(Debug, Default, Args)]
pub struct Saving {
    /// Save the state, with all FABs and message objects that it counts on, in this directory, and
    /// end. The SuperLink may serve meanwhile. Only --database and --storage-dir are needed beside.
    /// Keys and certificates are not in a backup
    #[arg(long, value_name = "DIR")]
    #[arg(conflicts_with_all = ["check_config", "check_state", "restore"])]
    pub backup: Option<PathBuf>,

    /// With --backup: keep the files of the last backup in DIR that are still needed, and add the
    /// others
    #[arg(long, requires = "backup")]
    pub incremental: bool,

    /// Restore the backup in this directory to --database and --storage-dir, where nothing may be,
    /// and end. Everything is verified before anything is put in place
    #[arg(long, value_name = "DIR", conflicts_with_all = ["check_config", "check_state"])]
    pub restore: Option<PathBuf>,
}
