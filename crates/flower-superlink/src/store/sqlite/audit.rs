//! A look at a whole database: does SQLite find it whole, and do its rows fit together?

use std::collections::HashMap;
use std::path::Path;

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::run::RunStatus;
use flwr_core::size::Size;
use flwr_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::file::{self, Hold, OpenError};
use super::objects::ids;
use super::row::{self, signed};
use super::{lifecycle, migration, upkeep};
use crate::link::state::StateResult;
use flwr_daemon::checkup::Problem;

use crate::store::check::Expected;

/// A database that is looked at, and held meanwhile.
#[derive(Debug)]
pub(in crate::store) struct Audit {
    pub(super) connection: Connection,
    pub(super) id: String,
    pub(super) _hold: Hold,
}

/// Rows that refer to something that is not there: what they are, and how to find them.
const DANGLING: [(&str, &str, &str); 6] = [
    (
        "tasks of runs that are not known",
        "task",
        "run NOT IN (SELECT id FROM run)",
    ),
    (
        "instructions of runs that are over or not known",
        "instruction",
        "run NOT IN (SELECT id FROM run WHERE finished_at IS NULL)",
    ),
    (
        "replies of runs that are over or not known",
        "reply",
        "run NOT IN (SELECT id FROM run WHERE finished_at IS NULL)",
    ),
    (
        "objects of runs that are over or not known",
        "object",
        "run NOT IN (SELECT id FROM run WHERE finished_at IS NULL)",
    ),
    (
        "waits for objects that are not known",
        "awaited",
        "NOT EXISTS (SELECT 1 FROM object WHERE object.run = awaited.run
                     AND object.id = awaited.object)",
    ),
    (
        "log entries of runs that are not known",
        "log",
        "run NOT IN (SELECT id FROM run)",
    ),
];

/// The first version that keeps metrics.
const METRICS_SINCE: i64 = 12;
/// What would be wrong with metrics, how many rows it is wrong of, and what mends it.
const METRICS: [(&str, &str, &str); 3] = [
    (
        "metric points of runs that are not known",
        "SELECT count(*) FROM metric_point WHERE run NOT IN (SELECT id FROM run)",
        "DELETE FROM metric_point WHERE run NOT IN (SELECT id FROM run)",
    ),
    (
        "metric totals of runs that are not known",
        "SELECT count(*) FROM metric_total WHERE run NOT IN (SELECT id FROM run)",
        "DELETE FROM metric_total WHERE run NOT IN (SELECT id FROM run)",
    ),
    (
        "runs that count other metric points than they have",
        "SELECT count(*) FROM run
         WHERE points <> (SELECT count(*) FROM metric_point WHERE metric_point.run = run.id)",
        "UPDATE run SET points = (SELECT count(*) FROM metric_point WHERE metric_point.run = run.id)",
    ),
];

/// The first version whose tables the checks read.
const READ_SINCE: i64 = 6;

/// Shows an older database as the checks read today's: by views that stand in memory only.
fn shown_as_today(connection: &Connection) -> rusqlite::Result<()> {
    if migration::version(connection)? >= READ_SINCE {
        return Ok(());
    }
    connection.execute_batch(
        "CREATE TEMP VIEW node AS SELECT *, NULL AS unregistered_at FROM main.node;
         CREATE TEMP VIEW task AS
           SELECT run.id, run.id AS run, token.hash AS token
           FROM main.run LEFT JOIN main.token ON token.run = run.id;",
    )
}

impl Audit {
    /// Takes hold of a database; without `write` nothing in it can change.
    pub(in crate::store) fn open(database: &Path, write: bool) -> Result<Self, OpenError> {
        file::exists(database)?;
        let hold = file::hold(database)?;
        file::inspect(database)?;
        let failed = |error| OpenError::Failed {
            file: database.to_owned(),
            source: Box::new(error),
        };
        let connection = if write {
            file::open(database)?
        } else {
            let connection = file::open_to_read(database)?;
            shown_as_today(&connection).map_err(failed)?;
            connection
        };
        let id = connection.query_row("SELECT id FROM link", [], |row| row.get(0));
        let id = id.map_err(failed)?;
        Ok(Self {
            connection,
            id,
            _hold: hold,
        })
    }

    /// The name of the state.
    pub(in crate::store) fn id(&self) -> &str {
        &self.id
    }

    /// What there is.
    pub(in crate::store) fn summary(&self) -> StateResult<String> {
        let count = |table| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.connection
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        Ok(format!(
            "schema version {}: {} nodes, {} runs, {} instructions, {} replies, {} objects",
            self.connection
                .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?,
            count("node WHERE unregistered_at IS NULL")?,
            count("run")?,
            count("instruction")?,
            count("reply")?,
            count("object")?,
        ))
    }

    /// What takes the space of the file.
    pub(in crate::store) fn space(&self) -> StateResult<Vec<String>> {
        let usage = upkeep::usage(&self.connection)?;
        let mut facts = vec![
            format!(
                "the database takes {}, of which {} are free",
                Size(usage.file_bytes),
                Size(usage.free_bytes)
            ),
            format!(
                "{} runs, {} of them finished, take {}: {} of logs, {} of Contexts and configurations",
                usage.runs,
                usage.finished,
                Size(usage.log_bytes + usage.run_bytes),
                Size(usage.log_bytes),
                Size(usage.run_bytes),
            ),
        ];
        if !file::gives_back(&self.connection)? {
            facts.push(
                "free space stays in the file: `sqlite3 FILE 'PRAGMA auto_vacuum = 2; VACUUM'` lets it go"
                    .to_owned(),
            );
        }
        Ok(facts)
    }

    /// What does not fit together.
    pub(in crate::store) fn problems(&self, repair: bool) -> StateResult<Vec<Problem>> {
        let mut problems = self.integrity(repair)?;
        for (what, table, condition) in DANGLING {
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
            if count == 0 {
                continue;
            }
            if repair {
                let sql = format!("DELETE FROM {table} WHERE {condition}");
                self.connection.execute(&sql, [])?;
            }
            let text = format!("{count} {what}");
            problems.push(Problem {
                text,
                mended: repair,
            });
        }
        problems.extend(self.metrics(repair)?);
        problems.extend(self.tokens(repair)?);
        problems.extend(self.children()?);
        Ok(problems)
    }

    /// Metrics that do not fit to their runs.
    fn metrics(&self, repair: bool) -> StateResult<Vec<Problem>> {
        let mut problems = Vec::new();
        if migration::version(&self.connection)? < METRICS_SINCE {
            return Ok(problems);
        }
        for (what, wrong, mend) in METRICS {
            let count: i64 = self.connection.query_row(wrong, [], |row| row.get(0))?;
            if count == 0 {
                continue;
            }
            if repair {
                self.connection.execute(mend, [])?;
            }
            problems.push(Problem {
                text: format!("{count} {what}"),
                mended: repair,
            });
        }
        Ok(problems)
    }

    /// Tokens of runs that are over.
    fn tokens(&self, repair: bool) -> StateResult<Option<Problem>> {
        const OVER: &str = "token IS NOT NULL
             AND run IN (SELECT id FROM run WHERE finished_at IS NOT NULL)";
        let sql = format!("SELECT count(*) FROM task WHERE {OVER}");
        let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        if count > 0 && repair {
            let sql = format!("UPDATE task SET token = NULL, claimed_at = NULL WHERE {OVER}");
            self.connection.execute(&sql, [])?;
        }
        Ok((count > 0).then(|| Problem {
            text: format!("{count} tokens of runs that are over"),
            mended: repair,
        }))
    }

    /// What SQLite finds. An index can be made again from its table.
    fn integrity(&self, repair: bool) -> StateResult<Vec<Problem>> {
        let found = self.integrity_check()?;
        let mended = repair && !found.is_empty() && {
            self.connection.execute_batch("REINDEX")?;
            self.integrity_check()?.is_empty()
        };
        let problem = |text| Problem { text, mended };
        Ok(found.into_iter().map(problem).collect())
    }

    fn integrity_check(&self) -> StateResult<Vec<String>> {
        let mut check = self.connection.prepare("PRAGMA integrity_check")?;
        let rows = check.query_map([], |row| row.get::<_, String>(0))?;
        let lines = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Objects whose children are not known.
    fn children(&self) -> StateResult<Vec<Problem>> {
        let mut known = self
            .connection
            .prepare("SELECT 1 FROM object WHERE run = ? AND id = ?")?;
        let mut all = self
            .connection
            .prepare("SELECT run, id, children FROM object")?;
        let mut rows = all.query([])?;
        let mut problems = Vec::new();
        while let Some(row) = rows.next()? {
            let (run, id) = (RunId(row::id(row, 0)?), row::object_id(row, 1)?);
            for child in ids(&row.get::<_, Vec<u8>>(2)?) {
                if !known.exists(params![signed(run), child.as_bytes()])? {
                    let text =
                        format!("object {id} of run {run} is made of {child}, which is not known");
                    problems.push(Problem {
                        text,
                        mended: false,
                    });
                }
            }
        }
        Ok(problems)
    }

    /// What should be in the storage directory.
    pub(in crate::store) fn expected(&self) -> StateResult<Expected> {
        Ok(Expected {
            objects: self.runs_by("SELECT id, run FROM object WHERE available", |row| {
                row::object_id(row, 0).map(Some)
            })?,
            fabs: self.runs_by(
                "SELECT fab_hash, id FROM run WHERE finished_at IS NULL",
                |row| Ok(row.get::<_, String>(0)?.parse().ok()),
            )?,
        })
    }

    fn runs_by(
        &self,
        sql: &str,
        id: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<Option<ObjectId>>,
    ) -> StateResult<HashMap<ObjectId, Vec<RunId>>> {
        let mut select = self.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        let mut runs = HashMap::<_, Vec<_>>::new();
        while let Some(row) = rows.next()? {
            if let Some(id) = id(row)? {
                runs.entry(id).or_default().push(RunId(row::id(row, 1)?));
            }
        }
        Ok(runs)
    }

    /// Fails a run that lost something. The bytes that it leaves go at the next start.
    pub(in crate::store) fn fail(
        &self,
        run: RunId,
        status: &RunStatus,
        now: Timestamp,
    ) -> StateResult<()> {
        let transaction = self.connection.unchecked_transaction()?;
        // The check that follows compares the files with the rows.
        lifecycle::change(&transaction, run, status, now)?;
        transaction.commit()?;
        Ok(())
    }
}
