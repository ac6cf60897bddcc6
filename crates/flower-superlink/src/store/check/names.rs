//! Compares a PostgreSQL database with the bytes under its names, in a bucket or a directory.

use std::collections::{BTreeSet, HashSet};

use flwr_core::cause::chain;
use flwr_core::id::RunId;
use flwr_core::run::RunStatus;
use flwr_core::time::Timestamp;
use flwr_daemon::checkup::Report;
use flwr_daemon::objects::{self, Flaw};
use futures::{StreamExt, stream};

use super::super::blobs::Shelf;
use super::super::owner::OwnerError;
use super::super::place::{OfState, Places, Storage, StoreError};
use super::super::postgres::audit::{Found, Notes, Used};
use super::super::postgres::{PostgresState, PostgresUrl};
use super::LOST_OBJECTS;
use crate::link::state::{Runs as _, StateError, Upkeep as _};
use crate::store::{FABS, OBJECTS};

/// Bytes that are read at the same time.
const READS: usize = 4;
/// Names that are deleted at once.
const NAMES: usize = 1000;

impl Places {
    /// Looks at the database, and at the bytes under its names.
    pub(super) async fn check_names(
        &self,
        address: &PostgresUrl,
        repair: bool,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        if !repair {
            let found = PostgresState::look(address).await?;
            return self.compare(found, false, report).await.map(drop);
        }
        let state = PostgresState::open(address, now).await?;
        let found = state.notes().await.map_err(StoreError::Rows)?;
        let lost = self.compare(found, true, report).await?;
        for run in lost {
            let failed = RunStatus::failed(LOST_OBJECTS);
            match state.change_run(run, failed, now).await {
                Ok(_) | Err(StateError::Refused(_)) => {}
                Err(broken) => return Err(StoreError::Rows(broken)),
            }
        }
        state.close().await;
        Ok(())
    }

    /// Gives the runs that lost something.
    async fn compare(
        &self,
        found: Found,
        repair: bool,
        report: &mut Report,
    ) -> Result<BTreeSet<RunId>, StoreError> {
        let notes = match found {
            Found::Nothing => {
                report.fact("the database holds no state");
                return Ok(BTreeSet::new());
            }
            Found::Older(version) => {
                let text = format!(
                    "the database has schema version {version}: start this flower-superlink once, and check again"
                );
                report.problem(false, text);
                return Ok(BTreeSet::new());
            }
            Found::Notes(notes) => notes,
        };
        report.fact(notes.summary.clone());
        for problem in &notes.problems {
            report.problem(false, problem.clone());
        }
        let mut lost = BTreeSet::new();
        for (run, object) in &notes.flawed {
            let text = format!(
                "object {object} in the database is damaged or missing: it is needed by run {run}"
            );
            report.problem(repair, text);
            lost.insert(*run);
        }
        if let Storage::Dir(dir) = &self.storage
            && !dir.is_dir()
        {
            report.problem(false, format!("{} is not there", dir.display()));
            return Ok(lost);
        }
        let shelf = match self.proven_shelf(&notes).await {
            Ok(shelf) => shelf,
            Err(
                wrong @ (StoreError::Elsewhere { .. }
                | StoreError::Copied { .. }
                | StoreError::Owner(OwnerError::Other { .. })),
            ) => {
                report.problem(false, chain(&wrong));
                return Ok(lost);
            }
            Err(error) => return Err(error),
        };
        let names = Names {
            shelf,
            notes: &notes,
            repair,
        };
        let failed = |error| self.storage.failed(error);
        lost.extend(names.verify(report).await.map_err(failed)?);
        names.find_strays(report).await.map_err(failed)?;
        Ok(lost)
    }
}

impl Places {
    /// The place for the bytes of this state, unless the bytes are elsewhere.
    async fn proven_shelf(&self, notes: &Notes) -> Result<Shelf, StoreError> {
        let state = OfState {
            id: &notes.id,
            database: &notes.database,
            is_new: notes.used.is_empty(),
        };
        self.storage.require_own(state)?;
        let shelf = self.shelf()?;
        self.storage.require_original(&shelf, state).await?;
        Ok(shelf)
    }
}

/// The names of a state, and where their bytes are.
struct Names<'n> {
    shelf: Shelf,
    notes: &'n Notes,
    repair: bool,
}

impl Names<'_> {
    /// Reads the bytes of all names that are used. Gives the runs that lost something.
    async fn verify(&self, report: &mut Report) -> Result<BTreeSet<RunId>, objects::Error> {
        let read = |used: &Used| {
            let (used, shelf) = (used.clone(), self.shelf.clone());
            async move { (shelf.verify(&used.id, &used.name).await, used) }
        };
        let mut reads = stream::iter(self.notes.used.iter().map(read)).buffer_unordered(READS);
        let (mut lost, mut whole, mut bytes) = (BTreeSet::new(), 0_usize, 0);
        while let Some((read, used)) = reads.next().await {
            let flaw = match read {
                Ok(size) => {
                    (whole, bytes) = (whole + 1, bytes + size);
                    continue;
                }
                Err(objects::Error::Flawed(flawed)) => flawed.flaw,
                Err(error) => return Err(error),
            };
            let what = match flaw {
                Flaw::Lost => "missing",
                Flaw::Damaged => "damaged",
            };
            let Used { name, run, .. } = used;
            let place = self.shelf.place();
            let text = format!("{place}/{} is {what}: it is needed by run {run}", name.key);
            report.problem(self.repair, text);
            lost.insert(run);
        }
        let place = self.shelf.place();
        report.fact(format!(
            "{whole} blobs of {bytes} bytes in {place} are whole"
        ));
        if !self.notes.garbage.is_empty() {
            let number = self.notes.garbage.len();
            report.fact(format!(
                "{number} blobs that nothing uses any more are not deleted yet"
            ));
        }
        Ok(lost)
    }

    /// Finds bytes of this state whose names it does not know.
    async fn find_strays(&self, report: &mut Report) -> Result<(), objects::Error> {
        let used = self.notes.used.iter().map(|used| used.name.key.as_str());
        let known: HashSet<_> = used
            .chain(self.notes.garbage.iter().map(String::as_str))
            .collect();
        let of_state = format!("o/{}-", self.notes.id);
        let mut folders = self.shelf.folders().await?;
        folders.retain(|folder| folder.starts_with(&of_state));
        // Several states may share a bucket, and none shares its directory.
        if self.shelf.directory().is_some() {
            folders.extend([OBJECTS, FABS].map(str::to_owned));
        }
        let of_start = format!("{}-", self.notes.id);
        let is_own = move |start: &str| start.starts_with(&of_start);
        let unfinished = self.shelf.unfinished(is_own).await?;
        if self.repair {
            self.shelf.remove(unfinished.clone()).await?;
        }
        for file in unfinished {
            report.problem(
                self.repair,
                format!("{} belongs to nothing", file.display()),
            );
        }
        for folder in folders {
            let mut after = None;
            loop {
                let names = self.shelf.list(&folder, after.as_deref()).await?;
                let Some(last) = names.last() else {
                    break;
                };
                after = Some(last.key.clone());
                let keys = names.into_iter().map(|name| name.key);
                let strays: Vec<_> = keys.filter(|key| !known.contains(key.as_str())).collect();
                for strays in strays.chunks(NAMES) {
                    self.tell(strays, report).await;
                }
            }
        }
        Ok(())
    }

    async fn tell(&self, strays: &[String], report: &mut Report) {
        let mut left = strays.to_vec();
        if self.repair {
            left = self.shelf.delete(left).await.left;
        }
        let place = self.shelf.place();
        for key in strays {
            let is_deleted = !left.contains(key);
            report.problem(is_deleted, format!("{place}/{key} belongs to nothing"));
        }
    }
}

#[cfg(test)]
mod tests;
