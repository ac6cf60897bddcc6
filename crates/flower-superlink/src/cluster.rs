//! `flower-superlink --import` and `--superlinks`, and what they print.

use std::io;
use std::path::Path;

use flwr_core::printable;
use flwr_daemon::answer;
use flwr_daemon::telemetry::Format;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::args::Args;
use crate::config::{self, ConfigError};
use crate::store::{Database, Import, ImportError, Member, PostgresError, PostgresState, Roster};

/// Why a state is not imported, or the SuperLinks are not listed.
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
    /// A file, or memory.
    #[error(
        "--superlinks asks a database that several SuperLinks work with: give --database postgres://…"
    )]
    NotPostgres,
    /// The database.
    #[error("--database")]
    Database(#[from] PostgresError),
}

impl ClusterError {
    /// Whether the flags are at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Config(_) | Self::NotPostgres => true,
            Self::Import(error) => error.is_usage(),
            Self::Runtime(_) | Self::Database(_) => false,
        }
    }
}

/// Imports a state or lists SuperLinks, if the flags say so.
///
/// # Errors
/// If the flags do not allow that, or it fails.
pub fn run(args: &Args) -> Option<Result<(), ClusterError>> {
    match &args.cluster.import {
        Some(file) => Some(import(args, file)),
        None => args.cluster.superlinks.then(|| list(args)),
    }
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

fn list(args: &Args) -> Result<(), ClusterError> {
    let Database::Postgres(address) = config::database(args)? else {
        return Err(ClusterError::NotPostgres);
    };
    let roster = runtime()?.block_on(PostgresState::superlinks(&address))?;
    if args.logs.log_format == Format::Json {
        answer::line(format!("{:#}", as_json(&roster)));
        return Ok(());
    }
    for member in &roster.members {
        answer::line(printable::line(&shown(member)));
    }
    answer::line(match roster.members.is_empty() {
        true => format!("no flower-superlink works with {address}"),
        false => format!("{} SuperNodes are online", roster.nodes),
    });
    Ok(())
}

fn shown(member: &Member) -> String {
    let name = match member.name.as_str() {
        "" => "the only SuperLink",
        name => name,
    };
    format!(
        "{name}: {}, pid {} on {}, version {}, since {}, last sign of life {} ({:.0} s ago), {} unfinished runs",
        if member.is_at_work { "at work" } else { "gone" },
        member.pid,
        member.host,
        member.version,
        member.started_at.iso8601(),
        member.seen_at.iso8601(),
        member.silent.max(0.0),
        member.runs,
    )
}

fn as_json(roster: &Roster) -> Value {
    let member = |member: &Member| {
        json!({
            "name": member.name,
            "host": member.host,
            "pid": member.pid,
            "version": member.version,
            "started-at": member.started_at.iso8601(),
            "last-seen-at": member.seen_at.iso8601(),
            "silent-for": member.silent,
            "at-work": member.is_at_work,
            "runs": member.runs,
        })
    };
    let members: Vec<_> = roster.members.iter().map(member).collect();
    json!({"success": true, "superlinks": members, "nodes-online": roster.nodes})
}
