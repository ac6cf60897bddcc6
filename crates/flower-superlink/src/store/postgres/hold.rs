//! The hold of a SuperLink on its database: advisory locks of the session that writes, and the epoch in
//! the row of its name.
//!
//! | lock | held | tells |
//! | --- | --- | --- |
//! | of the schema | shared; exclusively by a SuperLink that works alone | whether others may work too |
//! | of the name | exclusively | that the name is taken |
//! | of writers | exclusively, in each transaction | whose turn it is |
//!
//! The locks of the session tell a SuperLink at its start what others do. The epoch keeps a SuperLink that
//! lost its locks, and does not know yet, from committing. What transactions read is what the transaction
//! before has left, whoever wrote that: so each operation is right whatever other SuperLinks do.

use deadpool_postgres::{Object, Pool};
use flwr_core::time::Timestamp;
use thiserror::Error;

use super::lane::broken;
use super::patience::{PATIENCE, Patience};
use super::row;
use super::unit::Tx;
use crate::link::state::{StateError, StateResult};

/// The lock of the schema.
pub(super) const SCHEMA: &str = "hashtextextended('flower-superlink ' || current_schema(), 0)";
/// The lock of a name.
pub(super) const NAME: &str =
    "hashtextextended('flower-superlink ' || current_schema() || ' name ' || $1, 0)";
/// The first statement of each transaction: waits for the transactions of others.
const BEGIN: &str = "WITH turn AS MATERIALIZED (
       SELECT pg_advisory_xact_lock(
         hashtextextended('flower-superlink ' || current_schema() || ' writers', 0))
     )
     UPDATE link SET batch = $1, seen_at = clock_timestamp() FROM turn WHERE name = $2 AND epoch = $3";

/// The name of a SuperLink that works alone.
const ALONE: &str = "";

/// Whether other SuperLinks may work with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Company<'n> {
    /// None may: the bytes are on this machine.
    Alone,
    /// All may that have other names than this.
    Named(&'n str),
}

impl<'n> Company<'n> {
    pub(super) const fn name(self) -> &'n str {
        match self {
            Self::Alone => ALONE,
            Self::Named(name) => name,
        }
    }

    /// The statement that tries to take the lock of the schema.
    fn schema_lock(self) -> String {
        match self {
            Self::Alone => format!("SELECT pg_try_advisory_lock({SCHEMA})"),
            Self::Named(_) => format!("SELECT pg_try_advisory_lock_shared({SCHEMA})"),
        }
    }
}

/// What keeps a SuperLink from a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// A SuperLink works alone, or others work while this one would work alone.
    Schema,
    /// Another has the name.
    Name,
}

/// The connection with the hold was lost.
#[derive(Debug, Error)]
#[error("another session holds the database")]
pub(super) struct Lost;

/// Another SuperLink has begun to work with the database under this name, or alone; or another has buried
/// this one.
#[derive(Debug, Error)]
#[error(
    "another flower-superlink has taken the database or the runs of this one: this one can write nothing any more"
)]
pub(super) struct TakenOver;

/// Who holds a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) host: String,
    pub(super) pid: i64,
}

/// The hold of this SuperLink.
#[derive(Debug)]
pub(super) struct Hold {
    pool: Pool,
    /// `None`: it works alone.
    name: Option<String>,
    epoch: i64,
    /// The number of the transaction that is under way, or was last.
    pub(super) batch: i64,
    /// The number of the last transaction that was committed.
    pub(super) committed: i64,
    /// The last sign of life of the SuperLink that had the name before.
    pub(super) seen_before: Option<Timestamp>,
}

/// Takes the locks, unless other sessions have them. Who had them a moment ago may be about to go.
pub(super) async fn lock(
    connection: &Object,
    company: Company<'_>,
) -> StateResult<Result<(), Obstacle>> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        match try_to_lock(connection, company).await? {
            Ok(()) => return Ok(Ok(())),
            Err(_) if patience.allows_after(&broken(Lost)).await => {}
            obstacle => return Ok(obstacle),
        }
    }
}

async fn try_to_lock(
    connection: &Object,
    company: Company<'_>,
) -> StateResult<Result<(), Obstacle>> {
    let schema = connection.query_one(&company.schema_lock(), &[]).await?;
    if !row::get::<bool>(&schema, 0)? {
        return Ok(Err(Obstacle::Schema));
    }
    let Company::Named(name) = company else {
        return Ok(Ok(()));
    };
    let sql = format!("SELECT pg_try_advisory_lock({NAME})");
    let taken = connection.query_one(&sql, &[&row::escaped(name)]).await?;
    if row::get(&taken, 0)? {
        return Ok(Ok(()));
    }
    // Each success counts, and this one was no help.
    let sql = format!("SELECT pg_advisory_unlock_shared({SCHEMA})");
    connection.execute(&sql, &[]).await?;
    Ok(Err(Obstacle::Name))
}

/// Who works with the database under this name, or who was seen last, as far as that was noted.
pub(super) async fn holder(connection: &Object, company: Company<'_>) -> Option<Holder> {
    let sql = "SELECT host, pid FROM link ORDER BY name = $1 DESC, seen_at DESC LIMIT 1";
    let name = row::escaped(company.name());
    let found = connection.query_opt(sql, &[&name]).await;
    let found = found.ok().flatten()?;
    Some(Holder {
        host: row::text(&found, 0).ok()?,
        pid: row::get(&found, 1).ok()?,
    })
}

/// Whether other SuperLinks than that of the epoch were there a moment ago. Each writes signs of life every
/// 30 s at least.
pub(super) async fn has_others(connection: &Object, epoch: i64) -> StateResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM link WHERE epoch <> $1
                 AND seen_at > clock_timestamp() - interval '60 s')";
    row::get(&connection.query_one(sql, &[&epoch]).await?, 0)
}

/// The epochs of the other SuperLinks, those that have died among them: nobody knows that yet.
pub(super) async fn others(tx: &Tx<'_>, epoch: i64) -> StateResult<Vec<i64>> {
    let sql = "SELECT epoch FROM link WHERE epoch <> $1";
    let others = tx.query(sql, &[&epoch]).await?;
    others.iter().map(|found| row::get(found, 0)).collect()
}

impl Hold {
    /// Begins an epoch on a connection that has the locks.
    pub(super) async fn begin_epoch(
        pool: Pool,
        connection: &Object,
        company: Company<'_>,
        holder: &Holder,
    ) -> StateResult<Self> {
        let sql = "WITH before AS (SELECT extract(epoch FROM seen_at)::float8 FROM link WHERE name = $1)
                   INSERT INTO link (name, epoch, batch, host, pid, version, started_at, seen_at)
                   VALUES ($1, nextval('link_epoch'), 0, $2, $3, $4, clock_timestamp(), clock_timestamp())
                   ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, host = excluded.host,
                     pid = excluded.pid, version = excluded.version,
                     started_at = excluded.started_at, seen_at = excluded.seen_at
                   RETURNING epoch, batch, (TABLE before)";
        let (name, host) = (row::escaped(company.name()), row::escaped(&holder.host));
        // Who worked alone, or beside whom nobody may work now, can commit nothing from here on.
        let others = "DELETE FROM link WHERE (name = '') <> ($1 = '')";
        connection.execute(others, &[&name]).await?;
        let version = env!("CARGO_PKG_VERSION");
        let begun = connection
            .query_one(sql, &[&name, &host, &holder.pid, &version])
            .await?;
        let batch = row::get(&begun, 1)?;
        Ok(Self {
            pool,
            name: match company {
                Company::Alone => None,
                Company::Named(name) => Some(name.to_owned()),
            },
            epoch: row::get(&begun, 0)?,
            batch,
            committed: batch,
            seen_before: row::maybe_moment(&begun, 2)?,
        })
    }

    fn company(&self) -> Company<'_> {
        match &self.name {
            None => Company::Alone,
            Some(name) => Company::Named(name),
        }
    }

    /// Numbers the starts of SuperLinks.
    pub(super) const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// A new connection, with the locks.
    pub(super) async fn take_again(&self) -> StateResult<Object> {
        let connection = self.pool.get().await?;
        if try_to_lock(&connection, self.company()).await?.is_ok() {
            return Ok(connection);
        }
        // The session that was lost may live a little longer; another SuperLink would stay.
        self.last_batch(&connection).await?;
        Err(broken(Lost))
    }

    /// The number of the last transaction that this SuperLink has committed.
    pub(super) async fn last_batch(&self, connection: &Object) -> StateResult<i64> {
        let sql = "SELECT batch FROM link WHERE name = $1 AND epoch = $2";
        let name = row::escaped(self.company().name());
        let found = connection.query_opt(sql, &[&name, &self.epoch]).await?;
        row::get(&found.ok_or_else(taken_over)?, 0)
    }

    /// The first statement of each transaction.
    pub(super) async fn begin(&self, tx: &Tx<'_>) -> StateResult<()> {
        let update = tx.prepare_cached(BEGIN).await?;
        let name = row::escaped(self.company().name());
        match tx
            .execute(&update, &[&self.batch, &name, &self.epoch])
            .await?
        {
            0 => Err(taken_over()),
            _ => Ok(()),
        }
    }

    /// Lets the next SuperLink have the name, and leaves nothing to bury. Best effort: the end of the session
    /// does the first.
    pub(super) async fn release(&self, connection: &Object) {
        if let Some(name) = &self.name {
            let sql = "DELETE FROM link WHERE name = $1 AND epoch = $2";
            let _ = connection
                .execute(sql, &[&row::escaped(name), &self.epoch])
                .await;
        }
        let _ = connection
            .execute("SELECT pg_advisory_unlock_all()", &[])
            .await;
    }
}

fn taken_over() -> StateError {
    broken(TakenOver)
}
