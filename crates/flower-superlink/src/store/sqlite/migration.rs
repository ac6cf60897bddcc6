//! The steps from each version of the schema to the next, and the copy of the database that is
//! made before a step that shuts older programs out.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use flwr_security::private_files;
use rusqlite::Connection;

use super::file::{self, OpenError};

/// What is behind an error of a step or a copy.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The way from the version before to a version of the schema.
struct Step {
    sql: &'static str,
    /// The oldest version whose programs may still read and write the database after this step.
    oldest: i64,
}

impl Step {
    const fn new(sql: &'static str, oldest: i64) -> Self {
        Self { sql, oldest }
    }
}

/// All steps. Programs of versions 1 to 4 open nothing newer than themselves, so each of those
/// steps shuts out what was before it.
const STEPS: &[Step] = &[
    Step::new(include_str!("../migrations/0001_state.sql"), 1),
    Step::new(include_str!("../migrations/0002_dialect.sql"), 2),
    Step::new(include_str!("../migrations/0003_account.sql"), 3),
    Step::new(include_str!("../migrations/0004_finished.sql"), 4),
    Step::new(include_str!("../migrations/0005_pending.sql"), 5),
    Step::new(include_str!("../migrations/0006_life.sql"), 6),
    Step::new(include_str!("../migrations/0007_certificate.sql"), 6),
    Step::new(include_str!("../migrations/0008_holder.sql"), 6),
    Step::new(include_str!("../migrations/0009_enrolment.sql"), 6),
    Step::new(include_str!("../migrations/0010_joining.sql"), 6),
    Step::new(include_str!("../migrations/0011_worked.sql"), 6),
    Step::new(include_str!("../migrations/0012_metrics.sql"), 6),
];
/// The latest version.
pub(super) const VERSION: i64 = STEPS.len().cast_signed() as i64;
/// The oldest version whose programs may read and write a database of the latest version.
pub(super) const OLDEST: i64 = STEPS[STEPS.len() - 1].oldest;
/// The first version that keeps its oldest version in the database.
const KEEPS_OLDEST: usize = 5;

/// The version of a database; 0 where it holds nothing.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether this program may work with a database of this version. A newer database says which
/// programs may.
pub(super) fn is_allowed(connection: &Connection, version: i64) -> bool {
    let oldest = || connection.query_row("SELECT oldest FROM link", [], |row| row.get::<_, i64>(0));
    version <= VERSION || oldest().is_ok_and(|oldest| oldest <= VERSION)
}

/// Brings the database to the latest version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = version(connection)?;
    let done = usize::try_from(version)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, version))?;
    // A newer program's database, which allows this one, has all steps behind it.
    for (to, step) in (1..).zip(STEPS).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&step.sql(to))?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}

impl Step {
    /// The step to version `to`, with the number that the database keeps.
    fn sql(&self, to: usize) -> String {
        if to < KEEPS_OLDEST {
            return self.sql.to_owned();
        }
        format!("{}\nUPDATE link SET oldest = {};\n", self.sql, self.oldest)
    }
}

/// Whether programs of this version may not work with the database after the steps to come.
fn shuts_out(version: i64) -> bool {
    let done = usize::try_from(version).unwrap_or(0);
    let to_come = STEPS.iter().skip(done);
    version > 0 && to_come.into_iter().any(|step| step.oldest > version)
}

/// Copies the database to `<database>.before-<version>`, if the steps to come shut older programs
/// out. The copy is checked and on disk when this returns; the database is not changed.
pub(super) fn keep_copy(connection: &Connection, database: &Path) -> Result<(), OpenError> {
    let copy = file::beside(database, &format!("before-{VERSION}"));
    let part = file::beside(&copy, "part");
    let made = version(connection)
        .map_err(Cause::from)
        .and_then(|version| match shuts_out(version) {
            true => write_copy(connection, &part, &copy),
            false => Ok(()),
        });
    made.map_err(|source| {
        // It is of no use, and takes space that is missing.
        let _ = fs::remove_file(&part);
        OpenError::NotCopied {
            file: database.to_owned(),
            copy,
            version: VERSION,
            source,
        }
    })
}

/// The latest copy beside a newer database that this program may open.
pub(super) fn copy_for_us(database: &Path) -> Option<PathBuf> {
    let dir = private_files::dir_of(database);
    let prefix = file::beside(Path::new(database.file_name()?), "before-");
    let prefix = prefix.to_str()?;
    let mut copies = Vec::new();
    for entry in fs::read_dir(dir).ok()?.flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
        if number.is_none_or(|number| number.parse::<i64>().is_err()) {
            continue;
        }
        let version = file::open_to_read(&entry.path()).ok().and_then(|copy| {
            let version = version(&copy).ok()?;
            is_allowed(&copy, version).then_some(version)
        });
        copies.extend(version.map(|version| (version, entry.path())));
    }
    copies.into_iter().max().map(|(_, path)| path)
}

fn write_copy(connection: &Connection, part: &Path, copy: &PathBuf) -> Result<(), Cause> {
    if part.exists() {
        fs::remove_file(part)?;
    }
    file::create_private(part)?;
    connection.execute("VACUUM INTO ?1", [part.to_string_lossy()])?;
    let written = file::open_to_read(part)?;
    if let Some(problem) = file::first_problem(&written)? {
        return Err(format!("the copy is damaged: {problem}").into());
    }
    drop(written);
    File::open(part)?.sync_all()?;
    fs::rename(part, copy)?;
    private_files::sync_dir(private_files::dir_of(copy))?;
    tracing::info!(copy = %copy.display(), "database copied before its schema changes: earlier versions of this program can open the copy only");
    Ok(())
}
