//! Flags of databases that are servers.

use std::path::PathBuf;

use clap::Args;

use crate::machine;

/// What belongs to `--database postgres://…`.
#[derive(Debug, Default, Args)]
pub struct DatabaseServer {
    /// Log in to the database with the password in the first line of this file, which nobody but its
    /// owner may read
    #[arg(long, value_name = "FILE")]
    pub database_password_file: Option<PathBuf>,
    /// What this SuperLink is called among those that work with one database and bucket [default: the name of
    /// the machine]
    #[arg(long, value_name = "NAME", value_parser = superlink_name)]
    pub superlink_name: Option<String>,
    /// Take over the runs of another SuperLink of the database that gave no sign of life for so long, 15 at
    /// least: they begin again with --resume-runs, and fail without
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "60",
        value_parser = clap::value_parser!(u64).range(15..)
    )]
    pub takeover_after: u64,
    /// Have the ServerApps that this SuperLink starts connect here: the address of a balancer before
    /// ServerAppIo of all SuperLinks. They then live through the end of this one
    #[arg(long, value_name = "HOST:PORT")]
    pub serverappio_advertise: Option<String>,
}

/// The name also names a folder.
fn superlink_name(text: &str) -> Result<String, String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match !text.starts_with('.') && (1..=64).contains(&text.len()) && text.chars().all(is_good) {
        true => Ok(text.to_owned()),
        false => {
            Err("1 to 64 letters, digits, `-`, `_` and `.`, and no `.` at the beginning".into())
        }
    }
}

impl DatabaseServer {
    /// The name of this SuperLink: what was typed, or that of the machine.
    #[must_use]
    pub fn name(&self) -> String {
        let of_machine = || superlink_name(&machine::name()).ok();
        let name = self.superlink_name.clone().or_else(of_machine);
        name.unwrap_or_else(|| "superlink".to_owned())
    }
}
