//! Flags of databases that are servers. They are not in `--help` before several SuperLinks can work
//! with one database.

use std::path::PathBuf;

use clap::Args;

/// What belongs to `--database postgres://…`.
#[derive(Debug, Default, Args)]
pub struct DatabaseServer {
    /// Log in to the database with the password in the first line of this file, which nobody but its
    /// owner may read
    #[arg(long, value_name = "FILE", hide = true)]
    pub database_password_file: Option<PathBuf>,
}
