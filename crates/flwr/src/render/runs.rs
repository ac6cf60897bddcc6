//! The list of runs.

use flwr_core::port::control::{RunUse, Runs};
use flwr_core::run::{Outcome, Phase, Run};
use flwr_core::time::Timestamp;
use serde_json::{Value, json};
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use super::Colour;
use super::printable;
use super::table::{Row, Table};

const HEADERS: [&str; 7] = [
    "Run ID",
    "FAB",
    "Status",
    "Elapsed",
    "Created At",
    "Running At",
    "Finished At",
];
/// Column of the status, the one with a colour of its own.
const STATUS: usize = 2;
/// Moments that `Elapsed` stands for where there is no room: running at, finished at, created at.
const SPARE: [usize; 3] = [5, 6, 4];
const NEVER: &str = "N/A";

/// One run, every field in the words it is shown with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunRow {
    run_id: u64,
    fab_id: String,
    fab_version: String,
    fab_hash: String,
    phase: Phase,
    /// Why the run failed, or what it waits for.
    details: String,
    elapsed: String,
    created_at: String,
    running_at: String,
    finished_at: String,
    /// What it has used, where the SuperLink tells.
    used: Option<RunUse>,
}

impl RunRow {
    /// The runs in the order in which they were created.
    pub(crate) fn all(runs: &Runs) -> Vec<Self> {
        let row = |run: &Run| Self {
            used: runs.uses.get(&run.id).copied(),
            ..Self::new(run, runs.now)
        };
        runs.runs.iter().map(row).collect()
    }

    fn new(run: &Run, now: Option<Timestamp>) -> Self {
        Self {
            run_id: run.id.0,
            fab_id: run.fab_id.clone(),
            fab_version: run.fab_version.clone(),
            fab_hash: run.fab_hash.chars().take(8).collect(),
            phase: run.status.phase,
            details: run.status.details.clone(),
            elapsed: elapsed(run, now),
            created_at: moment(Some(run.pending_at)),
            running_at: moment(run.running_at),
            finished_at: moment(run.finished_at),
            used: None,
        }
    }

    /// What a list of a federation's runs has of it.
    pub(super) fn brief(&self) -> Value {
        json!({
            "run_id": self.run_id.to_string(),
            "app": format!("@{}=={}", self.fab_id, self.fab_version),
            "status": self.phase.to_string(),
            "elapsed": self.elapsed,
        })
    }

    fn cells(&self) -> [String; 7] {
        [
            self.run_id.to_string(),
            format!("{} (v{})", self.fab_id, self.fab_version),
            self.long_status(),
            self.elapsed.clone(),
            self.created_at.clone(),
            self.running_at.clone(),
            self.finished_at.clone(),
        ]
        .map(|cell| printable(&cell))
    }

    /// With what an unfinished run waits for. Why a run failed is too long for a table.
    fn long_status(&self) -> String {
        if self.details.is_empty() || self.phase.is_finished() {
            self.phase.to_string()
        } else {
            format!("{} ({})", self.phase, self.details)
        }
    }

    /// Where there is no room: `failed` of `finished:failed`, `running` without what it waits for.
    const fn short_status(&self) -> &'static str {
        match self.phase {
            Phase::Finished(outcome) => outcome.name(),
            phase => phase.name(),
        }
    }

    const fn colour(&self) -> Colour {
        match self.phase {
            Phase::Finished(Outcome::Completed) => Colour::Green,
            Phase::Finished(Outcome::Failed) => Colour::Red,
            _ => Colour::Yellow,
        }
    }
}

fn date_time(moment: Option<Timestamp>) -> Option<OffsetDateTime> {
    moment.and_then(Timestamp::to_date_time)
}

pub(super) fn moment(moment: Option<Timestamp>) -> String {
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let shown = date_time(moment).and_then(|moment| moment.format(shape).ok());
    shown.unwrap_or_else(|| NEVER.into())
}

/// Time since the run began to run, until it finished or until the SuperLink's now.
fn elapsed(run: &Run, now: Option<Timestamp>) -> String {
    let end = run.finished_at.or(now);
    let duration = match (date_time(run.running_at), date_time(end)) {
        (Some(start), Some(end)) => (end - start).max(Duration::ZERO),
        _ => Duration::ZERO,
    };
    let seconds = duration.whole_seconds();
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    );
    match duration.whole_days() {
        0 => clock,
        days => format!("{days}d {clock}"),
    }
}

/// As the SuperLink sees it.
fn traffic(used: RunUse) -> Value {
    json!({
        "inbound-bytes": used.received,
        "outbound-bytes": used.sent,
        "total-bytes": used.received.saturating_add(used.sent),
    })
}

pub(super) fn json(rows: &[RunRow]) -> Value {
    let run = |row: &RunRow| {
        let mut run = json!({
            "run-id": row.run_id,
            "run-id-text": row.run_id.to_string(),
            "fab-id": row.fab_id,
            "fab-name": row.fab_id.rsplit('/').next().unwrap_or_default(),
            "fab-version": row.fab_version,
            "fab-hash": row.fab_hash,
            "status": row.phase.to_string(),
            "status-details": row.details,
            "elapsed": row.elapsed,
            "created-at": row.created_at,
            "running-at": row.running_at,
            "finished-at": row.finished_at,
        });
        if let Some(used) = row.used {
            run["network-traffic"] = traffic(used);
        }
        run
    };
    json!({"success": true, "runs": rows.iter().map(run).collect::<Vec<_>>()})
}

pub(super) fn table(rows: &[RunRow]) -> Table {
    let row = |run: &RunRow| Row {
        cells: run.cells().to_vec(),
        short: Some(run.short_status().to_owned()),
        colour: run.colour(),
    };
    Table {
        headers: HEADERS.to_vec(),
        rows: rows.iter().map(row).collect(),
        coloured: STATUS,
        spare: &SPARE,
    }
}
