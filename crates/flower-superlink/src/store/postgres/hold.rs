//! The hold of a SuperLink on its database: an advisory lock of the session that writes, and the
//! epoch that the row `writer` has. The lock tells a second SuperLink at its start that there is a
//! first. The epoch keeps a SuperLink that lost its lock, and does not know yet, from committing.

use deadpool_postgres::{Object, Pool};
use thiserror::Error;

use super::lane::broken;
use super::patience::{PATIENCE, Patience};
use super::row;
use super::unit::Tx;
use crate::link::state::{StateError, StateResult};

/// The lock of the schema.
const LOCK: &str = "hashtextextended('flower-superlink ' || current_schema(), 0)";

/// The connection with the hold was lost.
#[derive(Debug, Error)]
#[error("another session holds the database")]
pub(super) struct Lost;

/// Another SuperLink has begun to work with the database.
#[derive(Debug, Error)]
#[error(
    "another flower-superlink has taken the database: this one can write nothing any more; stop it"
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
    epoch: i64,
    /// The number of the transaction that is under way, or was last.
    pub(super) batch: i64,
    /// The number of the last transaction that was committed.
    pub(super) committed: i64,
}

/// Takes the lock, unless another session has it. Who had it a moment ago may be about to go.
pub(super) async fn lock(connection: &Object) -> StateResult<bool> {
    let mut patience = Patience::new(PATIENCE);
    let sql = format!("SELECT pg_try_advisory_lock({LOCK})");
    loop {
        let is_ours: bool = row::get(&connection.query_one(&sql, &[]).await?, 0)?;
        if is_ours || !patience.allows_after(&broken(Lost)).await {
            return Ok(is_ours);
        }
    }
}

/// Who holds the database, as far as that was noted.
pub(super) async fn holder(connection: &Object) -> Option<Holder> {
    let found = connection
        .query_opt("SELECT host, pid FROM writer", &[])
        .await;
    let found = found.ok().flatten()?;
    Some(Holder {
        host: row::text(&found, 0).ok()?,
        pid: row::get(&found, 1).ok()?,
    })
}

impl Hold {
    /// Begins an epoch on a connection that has the lock.
    pub(super) async fn begin_epoch(
        pool: Pool,
        connection: &Object,
        holder: &Holder,
    ) -> StateResult<Self> {
        let sql = "UPDATE writer SET epoch = epoch + 1, host = $1, pid = $2 RETURNING epoch, batch";
        let host = row::escaped(&holder.host);
        let row = connection.query_one(sql, &[&host, &holder.pid]).await?;
        let batch = row::get(&row, 1)?;
        Ok(Self {
            pool,
            epoch: row::get(&row, 0)?,
            batch,
            committed: batch,
        })
    }

    /// Numbers the starts of SuperLinks.
    pub(super) const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// A new connection, with the lock.
    pub(super) async fn take_again(&self) -> StateResult<Object> {
        let connection = self.pool.get().await?;
        let sql = format!("SELECT pg_try_advisory_lock({LOCK})");
        if row::get(&connection.query_one(&sql, &[]).await?, 0)? {
            return Ok(connection);
        }
        // The session that was lost may live a little longer; another SuperLink would stay.
        self.last_batch(&connection).await?;
        Err(broken(Lost))
    }

    /// The number of the last transaction that this SuperLink has committed.
    pub(super) async fn last_batch(&self, connection: &Object) -> StateResult<i64> {
        let sql = "SELECT batch FROM writer WHERE epoch = $1";
        let found = connection.query_opt(sql, &[&self.epoch]).await?;
        row::get(&found.ok_or_else(taken_over)?, 0)
    }

    /// The first statement of each transaction.
    pub(super) async fn begin(&self, tx: &Tx<'_>) -> StateResult<()> {
        let sql = "UPDATE writer SET batch = $1 WHERE epoch = $2";
        let update = tx.prepare_cached(sql).await?;
        match tx.execute(&update, &[&self.batch, &self.epoch]).await? {
            0 => Err(taken_over()),
            _ => Ok(()),
        }
    }

    /// Lets the next SuperLink have the database. Best effort: the end of the session does the same.
    pub(super) async fn release(&self, connection: &Object) {
        let _ = connection
            .execute("SELECT pg_advisory_unlock_all()", &[])
            .await;
    }
}

fn taken_over() -> StateError {
    broken(TakenOver)
}
