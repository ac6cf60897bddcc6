//! Runs: one execution of an app, and the states it goes through.
//!
//! ```text
//!   pending ──▶ starting ──▶ running ──▶ finished:completed | failed | stopped
//!      └───────────┴──────────────────▶ finished:failed | stopped
//! ```
//! (flwr 1.22 wire.)

use std::fmt;

use flwr_proto as proto;
use thiserror::Error;

use crate::config::{self, ConfigError, UserConfig};
use crate::id::RunId;
use crate::time::Timestamp;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accepted; no ServerApp process has asked for it yet.
    Pending,
    /// A ServerApp process has its inputs.
    Starting,
    /// The ServerApp exchanges messages.
    Running,
    /// Over.
    Finished(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The ServerApp returned.
    Completed,
    /// It raised, died or was lost.
    Failed,
    /// A person stopped it.
    Stopped,
}

/// A phase with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// How far the run has come.
    pub phase: Phase,
    /// Free text: the reason of a failure.
    pub details: String,
}

/// A status that the wire should not carry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not the status of a run: pending, starting, running or finished:<completed|failed|stopped> is expected"
)]
pub struct InvalidStatus(String);

/// One execution of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name on the wire.
    pub id: RunId,
    /// `<publisher>/<project name>`.
    pub fab_id: String,
    /// The project's version.
    pub fab_version: String,
    /// SHA-256 of the FAB, lowercase hex.
    pub fab_hash: String,
    /// The account that started it; empty where nobody signs in.
    pub account: String,
    /// What the caller set in place of the app's own configuration.
    pub override_config: UserConfig,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was accepted.
    pub pending_at: Timestamp,
    /// When a ServerApp process took its inputs.
    pub starting_at: Option<Timestamp>,
    /// When the ServerApp began.
    pub running_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

/// What a node needs of a run to run the app, and no more.
#[derive(Debug, Clone, PartialEq)]
pub struct AppRun {
    /// The run.
    pub id: RunId,
    /// Publisher and name of the app.
    pub fab_id: String,
    /// Version of the app.
    pub fab_version: String,
    /// The hash of the app's bundle.
    pub fab_hash: String,
    /// What the run's user set beyond the app's configuration.
    pub override_config: UserConfig,
}

/// A run, as far as the daemon of an app knows the run.
#[derive(Debug, Clone, PartialEq)]
pub enum KnownRun {
    /// Everything: the daemon is the SuperLink.
    Full(Run),
    /// What an app needs: a SuperNode knows no more.
    App(AppRun),
}

impl Phase {
    /// The wire's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Finished(_) => "finished",
        }
    }

    /// The phase with these names on the wire.
    fn of(status: &str, sub_status: &str) -> Result<Self, InvalidStatus> {
        Ok(match (status, sub_status) {
            ("pending", "") => Self::Pending,
            ("starting", "") => Self::Starting,
            ("running", "") => Self::Running,
            ("finished", "completed") => Self::Finished(Outcome::Completed),
            ("finished", "failed") => Self::Finished(Outcome::Failed),
            ("finished", "stopped") => Self::Finished(Outcome::Stopped),
            (word, "") => return Err(InvalidStatus(word.to_owned())),
            (word, sub) => return Err(InvalidStatus(format!("{word}:{sub}"))),
        })
    }

    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Finished(_))
    }

    /// Whether a run in this phase may go to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Starting)
            | (Self::Starting, Self::Running)
            | (Self::Running, Self::Finished(_)) => true,
            (Self::Pending | Self::Starting, Self::Finished(outcome)) => {
                !matches!(outcome, Outcome::Completed)
            }
            _ => false,
        }
    }
}

/// Reads what Display writes.
impl std::str::FromStr for Phase {
    type Err = InvalidStatus;

    fn from_str(text: &str) -> Result<Self, InvalidStatus> {
        let (status, sub_status) = text.split_once(':').unwrap_or((text, ""));
        Self::of(status, sub_status)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished(outcome) => write!(f, "finished:{}", outcome.name()),
            phase => f.write_str(phase.name()),
        }
    }
}

impl Outcome {
    /// The wire's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

impl RunStatus {
    /// A phase about which there is nothing to say.
    #[must_use]
    pub const fn plain(phase: Phase) -> Self {
        Self {
            phase,
            details: String::new(),
        }
    }

    /// The run failed, and why.
    #[must_use]
    pub fn failed(details: impl Into<String>) -> Self {
        Self {
            phase: Phase::Finished(Outcome::Failed),
            details: details.into(),
        }
    }
}

impl From<RunStatus> for proto::RunStatus {
    fn from(status: RunStatus) -> Self {
        let sub_status = match status.phase {
            Phase::Finished(outcome) => outcome.name(),
            _ => "",
        };
        Self {
            status: status.phase.name().to_owned(),
            sub_status: sub_status.to_owned(),
            details: status.details,
        }
    }
}

impl TryFrom<proto::RunStatus> for RunStatus {
    type Error = InvalidStatus;

    fn try_from(status: proto::RunStatus) -> Result<Self, Self::Error> {
        let phase = Phase::of(&status.status, &status.sub_status)?;
        Ok(Self {
            phase,
            details: status.details,
        })
    }
}

impl From<Run> for proto::Run {
    fn from(run: Run) -> Self {
        let text = |at: Option<Timestamp>| at.map(Timestamp::iso8601).unwrap_or_default();
        Self {
            run_id: run.id.0,
            fab_id: run.fab_id,
            fab_version: run.fab_version,
            override_config: run
                .override_config
                .into_iter()
                .map(|(k, v)| (k, v.into()))
                .collect(),
            fab_hash: run.fab_hash,
            pending_at: run.pending_at.iso8601(),
            starting_at: text(run.starting_at),
            running_at: text(run.running_at),
            finished_at: text(run.finished_at),
            status: Some(run.status.into()),
            flwr_aid: run.account,
            ..Self::default()
        }
    }
}

impl TryFrom<proto::Run> for AppRun {
    type Error = ConfigError;

    fn try_from(run: proto::Run) -> Result<Self, Self::Error> {
        Ok(Self {
            id: RunId(run.run_id),
            fab_id: run.fab_id,
            fab_version: run.fab_version,
            fab_hash: run.fab_hash,
            override_config: config::from_wire(run.override_config)?,
        })
    }
}

impl From<Run> for AppRun {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            fab_id: run.fab_id,
            fab_version: run.fab_version,
            fab_hash: run.fab_hash,
            override_config: run.override_config,
        }
    }
}

impl From<AppRun> for proto::Run {
    fn from(run: AppRun) -> Self {
        Self {
            run_id: run.id.0,
            fab_id: run.fab_id,
            fab_version: run.fab_version,
            fab_hash: run.fab_hash,
            override_config: config::to_wire(&run.override_config),
            ..Self::default()
        }
    }
}

impl KnownRun {
    /// The hash of the app's bundle.
    #[must_use]
    pub fn fab_hash(&self) -> &str {
        match self {
            Self::Full(run) => &run.fab_hash,
            Self::App(run) => &run.fab_hash,
        }
    }

    /// Where the run stands. `None`: the daemon does not know.
    #[must_use]
    pub fn into_status(self) -> Option<RunStatus> {
        match self {
            Self::Full(run) => Some(run.status),
            Self::App(_) => None,
        }
    }
}

impl From<Run> for KnownRun {
    fn from(run: Run) -> Self {
        Self::Full(run)
    }
}

impl From<AppRun> for KnownRun {
    fn from(run: AppRun) -> Self {
        Self::App(run)
    }
}

impl From<KnownRun> for proto::Run {
    fn from(run: KnownRun) -> Self {
        match run {
            KnownRun::Full(run) => run.into(),
            KnownRun::App(run) => run.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Phase; 6] = [
        Phase::Pending,
        Phase::Starting,
        Phase::Running,
        Phase::Finished(Outcome::Completed),
        Phase::Finished(Outcome::Failed),
        Phase::Finished(Outcome::Stopped),
    ];

    #[test]
    fn a_run_goes_forward_only_and_completes_only_when_it_ran() {
        let allowed: Vec<_> = ALL
            .iter()
            .flat_map(|from| ALL.iter().map(move |to| (*from, *to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| format!("{from} {to}"))
            .collect();
        assert_eq!(
            allowed,
            [
                "pending starting",
                "pending finished:failed",
                "pending finished:stopped",
                "starting running",
                "starting finished:failed",
                "starting finished:stopped",
                "running finished:completed",
                "running finished:failed",
                "running finished:stopped",
            ]
        );
    }

    #[test]
    fn every_status_survives_the_wire() {
        for phase in ALL {
            let status = RunStatus {
                phase,
                details: "why".to_owned(),
            };
            assert_eq!(
                RunStatus::try_from(proto::RunStatus::from(status.clone())),
                Ok(status)
            );
        }
    }

    #[test]
    fn a_status_that_is_none_is_named() {
        let status = proto::RunStatus {
            status: "done".to_owned(),
            ..Default::default()
        };
        let error = RunStatus::try_from(status).unwrap_err();
        assert!(error.to_string().starts_with("\"done\" is not"), "{error}");
    }
}
