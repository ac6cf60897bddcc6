//! The flags about the log.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use flwr_daemon::telemetry::{Format, LogFile};

/// The flags about the log.
#[derive(Debug, Args)]
pub struct Logs {
    /// What to log: error, warn, info, debug, trace, or a filter as in RUST_LOG, which wins
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// How to log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: Format,

    /// Write the log to this file too, for its user alone, and rotate it. Rotated files have the hour
    /// in UTC in which they began at the end of their name: FILE.2026-11-26_20
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Rotate the log file when it is so many hours old
    #[arg(long, value_name = "HOURS", default_value = "24", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_rotation_interval_hours: u32,

    /// Keep so many rotated log files, and remove the oldest
    #[arg(long, value_name = "NUMBER", default_value = "7", value_parser = clap::value_parser!(u32).range(1..))]
    pub log_rotation_backup_count: u32,
}

impl Logs {
    /// The log file, and when it is rotated.
    #[must_use]
    pub fn file(&self) -> Option<LogFile> {
        let path = self.log_file.clone()?;
        Some(LogFile {
            path,
            interval: Duration::from_secs(3600) * self.log_rotation_interval_hours,
            backups: usize::try_from(self.log_rotation_backup_count).unwrap_or(usize::MAX),
        })
    }
}
