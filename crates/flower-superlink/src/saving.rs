//! `flower-superlink --backup` and `--restore`, and what they print.

use std::path::Path;

use flwr_core::size::Size;
use flwr_daemon::answer;
use flwr_daemon::clock::{Clock, SystemClock};
use rustix::process::{getpriority_process, setpriority_process};
use thiserror::Error;

use crate::args::Args;
use crate::config::{self, ConfigError};
use crate::store::{BackupError, Saved};

/// How a backup stands behind the SuperLink where both want a core (`nice`).
const NICE: i32 = 10;
/// How the URL of a database server begins.
const SERVERS: [&str; 2] = ["postgres://", "postgresql://"];

/// Why nothing is saved or restored.
#[derive(Debug, Error)]
pub enum SavingError {
    /// The flags.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A database server has its own tools.
    #[error(
        "--database is a database server: {0} is for database files. Dump the database with pg_dump, and then copy the objects: docs/backup.md tells the order"
    )]
    Server(&'static str),
    /// Database, storage directory or folder.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl SavingError {
    /// Whether the flags are at fault.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::Server(_)
                | Self::Backup(
                    BackupError::InMemory | BackupError::Elsewhere(_) | BackupError::Storage(_)
                )
        )
    }
}

/// Saves or restores, if the flags say so. Whether everything was there.
///
/// # Errors
/// If the flags do not allow that, or it fails.
pub fn run(args: &Args) -> Option<Result<bool, SavingError>> {
    let saving = &args.saving;
    match (&saving.backup, &saving.restore) {
        (Some(dir), _) => Some(back_up(args, dir, saving.incremental)),
        (None, Some(dir)) => Some(restore(args, dir)),
        (None, None) => None,
    }
}

fn back_up(args: &Args, dir: &Path, incremental: bool) -> Result<bool, SavingError> {
    refuse_server(args, "--backup")?;
    let places = config::places(args)?;
    give_way();
    let saved = places.back_up(dir, incremental, SystemClock.now())?;
    answer::line(format!("saved in {}: {}", dir.display(), shown(&saved)));
    answer::line(format!(
        "deletions waited for {:.3} s",
        saved.paused.as_secs_f64()
    ));
    answer::line(not_saved(args));
    Ok(tell_missing(&saved))
}

fn restore(args: &Args, dir: &Path) -> Result<bool, SavingError> {
    refuse_server(args, "--restore")?;
    let places = config::places(args)?;
    let saved = places.restore(dir)?;
    answer::line(format!(
        "restored from {}, made {}: {}",
        dir.display(),
        saved.made_at,
        shown(&saved)
    ));
    answer::line(not_saved(args));
    Ok(tell_missing(&saved))
}

fn refuse_server(args: &Args, flag: &'static str) -> Result<(), SavingError> {
    let database = args.database.as_deref().unwrap_or_default();
    match SERVERS.iter().any(|scheme| database.starts_with(scheme)) {
        true => Err(SavingError::Server(flag)),
        false => Ok(()),
    }
}

/// The SuperLink that serves meanwhile comes first. Best effort.
fn give_way() {
    if let Ok(now) = getpriority_process(None) {
        let _ = setpriority_process(None, now + NICE);
    }
}

fn shown(saved: &Saved) -> String {
    let files = &saved.files;
    format!(
        "schema version {}, {} runs, {} objects and FABs of {} ({} linked, {} copied, {} of the last backup)",
        saved.schema,
        saved.runs,
        files.linked + files.copied + files.kept,
        Size(files.bytes),
        files.linked,
        files.copied,
        files.kept,
    )
}

/// The files that a SuperLink needs beside its state.
fn not_saved(args: &Args) -> String {
    let own = [
        ("--config", &args.config),
        ("--ssl-ca-certfile", &args.ssl_ca_certfile),
        ("--ssl-certfile", &args.ssl_certfile),
        ("--ssl-keyfile", &args.ssl_keyfile),
        ("--node-ca-keyfile", &args.joining.node_ca_keyfile),
        (
            "--auth-superlink-private-key",
            &args.auth_superlink_private_key,
        ),
        (
            "--superexec-auth-secret-file",
            &args.appio.superexec_auth_secret_file,
        ),
    ];
    let flags = own.into_iter().chain(args.shared_files());
    let given = flags.filter_map(|(flag, file)| {
        let file = file.as_ref()?;
        Some(format!("{} ({flag})", file.display()))
    });
    let given: Vec<_> = given.collect();
    match given.is_empty() {
        true => "keys, certificates and lists are not in a backup: keep copies of the files that the SuperLink's flags name"
            .to_owned(),
        false => format!(
            "keys, certificates and lists are not in a backup; keep copies of {}",
            given.join(", ")
        ),
    }
}

/// Whether nothing is missing.
fn tell_missing(saved: &Saved) -> bool {
    for id in &saved.missing {
        answer::line(format!(
            "problem: object {id} was lost or damaged before the backup: `flower-superlink --check-state` names its run"
        ));
    }
    saved.missing.is_empty()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn args(flags: &[&str]) -> Args {
        Args::parse_from([&["flower-superlink"], flags].concat())
    }

    #[test]
    fn a_database_server_is_refused_with_the_page_that_tells_what_to_do() {
        for (flag, database) in [
            ("--backup", "postgres://flower@db/state"),
            ("--restore", "postgresql://db/state"),
        ] {
            let refused = run(&args(&[flag, "dir", "--database", database]));
            let error = refused.unwrap().unwrap_err();
            assert!(error.is_usage());
            let text = error.to_string();
            assert!(
                text.contains(flag) && text.contains("docs/backup.md"),
                "{text}"
            );
            assert!(!text.contains("flower@db"), "no password: {text}");
        }
        let refused = run(&args(&["--backup", "dir", "--database", ":memory:"]));
        assert!(refused.unwrap().unwrap_err().is_usage());
        assert!(run(&args(&["--insecure"])).is_none());
    }

    #[test]
    fn files_that_are_not_saved_are_named_with_their_flags() {
        let told = not_saved(&args(&["--backup", "dir"]));
        assert!(
            told.contains("the files that the SuperLink's flags name"),
            "{told}"
        );
        let told = not_saved(&args(&[
            "--backup",
            "dir",
            "--ssl-keyfile",
            "keys/server.key",
        ]));
        assert!(
            told.ends_with("keep copies of keys/server.key (--ssl-keyfile)"),
            "{told}"
        );
    }

    #[test]
    fn flags_of_one_thing_do_not_go_with_another() {
        for flags in [
            &["--incremental"][..],
            &["--backup", "a", "--restore", "b"],
            &["--backup", "a", "--check-state"],
            &["--restore", "a", "--check-config"],
        ] {
            let flags = [&["flower-superlink"], flags].concat();
            assert!(Args::try_parse_from(&flags).is_err(), "{flags:?}");
        }
    }
}
