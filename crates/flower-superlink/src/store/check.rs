//! `flower-superlink --check-state`: verifies the database and the storage directory. `--repair`
//! removes stray and damaged files, and fails the runs that lost something. A database that SQLite
//! cannot read needs a backup.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flwr_core::id::RunId;
use flwr_core::object::ObjectId;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;
use flwr_daemon::checkup::Report;
use flwr_daemon::objects::{Paused, files_in, path_in};

use super::open::pause_of;
use super::owner;
use super::place::{Database, Places, Storage, StoreError};
use super::sqlite::{Audit, OpenError};
use super::{FABS, OBJECTS};

mod names;

/// What the storage directory should hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// Objects, and the unfinished runs that have them.
    pub(super) objects: HashMap<ObjectId, Vec<RunId>>,
    /// FABs, and the unfinished runs that are made from them.
    pub(super) fabs: HashMap<ObjectId, Vec<RunId>>,
}

impl Places {
    /// Looks at database and storage directory. Without `repair` nothing is changed. It blocks.
    ///
    /// # Errors
    /// If the database cannot be read at all: it is in use, of another kind, newer, or damaged.
    pub fn check(&self, repair: bool, now: Timestamp) -> Result<Report, StoreError> {
        let mut report = Report::default();
        let file = match &self.database {
            Database::File(file) => file,
            Database::Memory => {
                report.fact("the state is in memory: there is nothing to check");
                return Ok(report);
            }
            Database::Postgres(address) => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(StoreError::Runtime)?;
                let check = self.check_names(address, repair, now, &mut report);
                runtime.block_on(check)?;
                return Ok(report);
            }
        };
        if !file.exists() {
            report.fact(format!("there is no database at {}", file.display()));
            return Ok(report);
        }
        let audit = Audit::open(file, repair)?;
        let _paused = if repair { Some(pause(file)?) } else { None };
        report.fact(audit.summary().map_err(|error| unreadable(file, error))?);
        for fact in audit.space().map_err(|error| unreadable(file, error))? {
            report.fact(fact);
        }
        let found = audit
            .problems(repair)
            .map_err(|error| unreadable(file, error))?;
        report.problems.extend(found);
        if let Storage::Dir(dir) = &self.storage {
            let expected = audit.expected().map_err(|error| unreadable(file, error))?;
            let mut files = Files {
                dir,
                repair,
                report: &mut report,
            };
            let lost = files.check(&audit, &expected)?;
            if repair {
                for run in &lost {
                    let status = RunStatus::failed(LOST_OBJECTS);
                    audit
                        .fail(*run, &status, now)
                        .map_err(|error| unreadable(file, error))?;
                }
            }
        }
        Ok(report)
    }
}

/// Keeps backups away while files are removed.
fn pause(file: &Path) -> Result<Paused, StoreError> {
    let paused = pause_of(file).begin(Duration::ZERO).ok().flatten();
    paused.ok_or_else(|| StoreError::BackupUnderWay(file.to_owned()))
}

/// Why a run is failed by a repair.
const LOST_OBJECTS: &str = "Objects of the run were lost from the storage.";

fn unreadable(file: &Path, error: crate::link::state::StateError) -> StoreError {
    StoreError::Database(OpenError::Failed {
        file: file.to_owned(),
        source: Box::new(error),
    })
}

/// Compares the files of the storage directory with the database.
struct Files<'a> {
    dir: &'a Path,
    repair: bool,
    report: &'a mut Report,
}

impl Files<'_> {
    /// Gives the runs that lost something.
    fn check(&mut self, audit: &Audit, expected: &Expected) -> Result<Vec<RunId>, StoreError> {
        match owner::read(self.dir)? {
            Some(owner) if owner != audit.id() => {
                let dir = self.dir.display();
                self.report.problem(
                    false,
                    format!("{dir} is the storage directory of another state ({owner})"),
                );
                return Ok(Vec::new());
            }
            _ => {}
        }
        let mut lost = Vec::new();
        for (name, wanted) in [(OBJECTS, &expected.objects), (FABS, &expected.fabs)] {
            lost.extend(self.check_shelf(name, wanted)?);
        }
        lost.sort_unstable();
        lost.dedup();
        Ok(lost)
    }

    fn check_shelf(
        &mut self,
        name: &str,
        wanted: &HashMap<ObjectId, Vec<RunId>>,
    ) -> Result<Vec<RunId>, StoreError> {
        let (dir, repair) = (&self.dir.join(name), self.repair);
        let files = if dir.exists() {
            files_in(dir)?
        } else {
            Vec::new()
        };
        let (mut whole, mut bytes, mut lost) = (0, 0, Vec::new());
        for file in files {
            let Some(id) = file.id.filter(|id| wanted.contains_key(id)) else {
                let mended = repair && fs::remove_file(&file.path).is_ok();
                self.report.problem(
                    mended,
                    format!("{} belongs to nothing", file.path.display()),
                );
                continue;
            };
            if is_whole(&file.path, id) {
                (whole, bytes) = (whole + 1, bytes + file.size);
                continue;
            }
            let mended = repair && fs::remove_file(&file.path).is_ok();
            lost.extend(&wanted[&id]);
            let text = format!(
                "{} is damaged: it {}",
                file.path.display(),
                of_runs(&wanted[&id])
            );
            self.report.problem(mended, text);
        }
        for (id, runs) in wanted {
            if !path_in(dir, id).exists() && !lost.iter().any(|run| runs.contains(run)) {
                lost.extend(runs);
                let path: PathBuf = path_in(dir, id);
                self.report.problem(
                    repair,
                    format!("{} is missing: it {}", path.display(), of_runs(runs)),
                );
            }
        }
        self.report.fact(format!(
            "{whole} {name} of {bytes} bytes in {} are whole",
            dir.display()
        ));
        Ok(lost)
    }
}

fn of_runs(runs: &[RunId]) -> String {
    let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
    format!("is needed by run {}", runs.join(", "))
}

fn is_whole(path: &Path, id: ObjectId) -> bool {
    fs::read(path).is_ok_and(|content| ObjectId::of(&content) == id)
}

#[cfg(test)]
mod tests;
