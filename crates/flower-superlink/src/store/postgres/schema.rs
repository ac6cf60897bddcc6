//! The steps from each version of the schema to the next. Whoever starts first takes them, under a
//! lock. A newer schema says which programs may still work with it.

use deadpool_postgres::Object;

use super::row;
use super::unit::Tx;
use crate::link::state::StateResult;

/// The way from the version before to a version of the schema.
struct Step {
    sql: &'static str,
    /// The oldest version whose programs may still read and write the database after this step. A
    /// step that only adds leaves the number as it was.
    oldest: i32,
}

/// All steps.
const STEPS: &[Step] = &[
    Step {
        sql: include_str!("../migrations/postgres/0001_state.sql"),
        oldest: 1,
    },
    // A program of version 1 would look for bytes under their ids.
    Step {
        sql: include_str!("../migrations/postgres/0002_blobs.sql"),
        oldest: 2,
    },
    // A program of version 2 would number its start as another does.
    Step {
        sql: include_str!("../migrations/postgres/0003_links.sql"),
        oldest: 3,
    },
    Step {
        sql: include_str!("../migrations/postgres/0004_metrics.sql"),
        oldest: 3,
    },
];
/// The latest version.
pub(super) const VERSION: i32 = STEPS.len() as i32;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
       version integer PRIMARY KEY,
       oldest integer NOT NULL,             -- programs of this version and newer may work with it
       applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
     )";
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('flower-superlink schema ' || current_schema(), 0))";

/// A schema of a newer program, which does not let this one in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newer {
    pub(super) found: i32,
}

/// Brings the schema to the latest version, in one transaction.
pub(super) async fn migrate(connection: &mut Object) -> StateResult<Result<(), Newer>> {
    let tx = connection.transaction().await?;
    // Large tables may take longer than a call may.
    tx.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'")
        .await?;
    tx.batch_execute(LOCK).await?;
    tx.batch_execute(TABLE).await?;
    let (found, oldest) = version(&tx).await?;
    if found > VERSION && oldest > VERSION {
        return Ok(Err(Newer { found }));
    }
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (to, step) in (1_i32..).zip(STEPS).skip(done) {
        tx.batch_execute(step.sql).await?;
        let sql = "INSERT INTO schema_version (version, oldest) VALUES ($1, $2)";
        tx.execute(sql, &[&to, &step.oldest]).await?;
    }
    tx.commit().await?;
    Ok(Ok(()))
}

/// The version of the schema, 0 where there is none, and the oldest program that may work with it.
pub(super) async fn version(tx: &Tx<'_>) -> StateResult<(i32, i32)> {
    let sql = "SELECT version, oldest FROM schema_version ORDER BY version DESC LIMIT 1";
    match tx.query_opt(sql, &[]).await? {
        Some(found) => Ok((row::get(&found, 0)?, row::get(&found, 1)?)),
        None => Ok((0, 0)),
    }
}
