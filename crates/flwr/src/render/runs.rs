//! The list of runs.

use flwr_proto::{ListRunsResponse, Run};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use super::Colour;
use super::table::{Row, Table, printable};

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunRow {
    run_id: u64,
    fab_id: String,
    fab_version: String,
    fab_hash: String,
    status: String,
    /// Why the run failed, or what it waits for.
    details: String,
    elapsed: String,
    created_at: String,
    running_at: String,
    finished_at: String,
}

/// `running` or `finished:failed`, and the details that the SuperLink gives.
pub(crate) fn status_words(run: &Run) -> (String, String) {
    let Some(status) = &run.status else {
        return ("unknown".into(), String::new());
    };
    let words = match status.sub_status.as_str() {
        "" => status.status.clone(),
        sub_status => format!("{}:{sub_status}", status.status),
    };
    (words, status.details.clone())
}

impl RunRow {
    /// The runs in the order in which they were created.
    pub(crate) fn all(response: &ListRunsResponse) -> Vec<Self> {
        let mut runs: Vec<_> = response.run_dict.values().collect();
        // ISO 8601 in UTC sorts as text; runs of the same instant keep their order by id.
        runs.sort_by(|a, b| a.pending_at.cmp(&b.pending_at));
        runs.into_iter()
            .map(|run| Self::new(run, &response.now))
            .collect()
    }

    fn new(run: &Run, now: &str) -> Self {
        let (status, details) = status_words(run);
        Self {
            run_id: run.run_id,
            fab_id: run.fab_id.clone(),
            fab_version: run.fab_version.clone(),
            fab_hash: run.fab_hash.chars().take(8).collect(),
            status,
            details,
            elapsed: elapsed(run, now),
            created_at: moment(&run.pending_at),
            running_at: moment(&run.running_at),
            finished_at: moment(&run.finished_at),
        }
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
        if self.details.is_empty() || self.status.starts_with("finished") {
            self.status.clone()
        } else {
            format!("{} ({})", self.status, self.details)
        }
    }

    /// Where there is no room: `failed` of `finished:failed`, `running` without what it waits for.
    fn short_status(&self) -> String {
        printable(
            self.status
                .strip_prefix("finished:")
                .unwrap_or(&self.status),
        )
    }

    fn colour(&self) -> Colour {
        match self.status.rsplit(':').next() {
            Some("completed") => Colour::Green,
            Some("failed") => Colour::Red,
            _ => Colour::Yellow,
        }
    }
}

fn parse(iso8601: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(iso8601, &Rfc3339).ok()
}

fn moment(iso8601: &str) -> String {
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    let shown =
        parse(iso8601).and_then(|moment| moment.to_offset(time::UtcOffset::UTC).format(shape).ok());
    shown.unwrap_or_else(|| NEVER.into())
}

/// Time since the run began to run, until it finished or until the SuperLink's now.
fn elapsed(run: &Run, now: &str) -> String {
    let end = if run.finished_at.is_empty() {
        now
    } else {
        &run.finished_at
    };
    let duration = match (parse(&run.running_at), parse(end)) {
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

pub(super) fn json(rows: &[RunRow]) -> Value {
    let run = |row: &RunRow| {
        json!({
            "run-id": row.run_id,
            "run-id-text": row.run_id.to_string(),
            "fab-id": row.fab_id,
            "fab-name": row.fab_id.rsplit('/').next().unwrap_or_default(),
            "fab-version": row.fab_version,
            "fab-hash": row.fab_hash,
            "status": row.status,
            "status-details": row.details,
            "elapsed": row.elapsed,
            "created-at": row.created_at,
            "running-at": row.running_at,
            "finished-at": row.finished_at,
        })
    };
    json!({"success": true, "runs": rows.iter().map(run).collect::<Vec<_>>()})
}

pub(super) fn table(rows: &[RunRow]) -> Table {
    let row = |run: &RunRow| Row {
        cells: run.cells().to_vec(),
        short: Some(run.short_status()),
        colour: run.colour(),
    };
    Table {
        headers: HEADERS.to_vec(),
        rows: rows.iter().map(row).collect(),
        coloured: STATUS,
        spare: &SPARE,
    }
}
