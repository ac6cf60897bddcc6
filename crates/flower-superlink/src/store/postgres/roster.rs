//! Who works with a database: what the rows and the locks of SuperLinks tell. Nothing is changed, and no
//! lock is taken: SuperLinks work meanwhile.

use flwr_core::time::Timestamp;
use tokio_postgres::Row;

use super::hold::{NAME, SCHEMA};
use super::opening::{self, PostgresError};
use super::unit::Tx;
use super::{PostgresState, PostgresUrl, reader, row};
use crate::link::state::StateResult;

/// A SuperLink that works with a database, or was lost: who stops in order leaves nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name; empty where it works alone.
    pub name: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: i64,
    /// The version of its program.
    pub version: String,
    /// When it started, by the clock of the database.
    pub started_at: Timestamp,
    /// Its last sign of life.
    pub seen_at: Timestamp,
    /// Seconds since then.
    pub silent: f64,
    /// Whether a session of it holds the name.
    pub is_at_work: bool,
    /// Unfinished runs whose ServerApp it has started.
    pub runs: u64,
}

/// The SuperLinks of a database.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roster {
    /// In the order of their names.
    pub members: Vec<Member>,
    /// SuperNodes that count as online, at whichever SuperLink.
    pub nodes: u64,
}

/// All rows, each with whether somebody has the lock of the name. Who works alone has that of the schema.
fn select() -> String {
    let name = NAME.replace("$1", "link.name");
    format!(
        "SELECT name, host, pid, version, extract(epoch FROM started_at)::float8,
           extract(epoch FROM seen_at)::float8,
           extract(epoch FROM clock_timestamp() - seen_at)::float8,
           EXISTS (SELECT 1 FROM pg_locks
             WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock' AND objsubid = 1
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (classid::int8 << 32 | objid::int8)
                 = CASE name WHEN '' THEN {SCHEMA} ELSE {name} END),
           (SELECT count(*) FROM task JOIN run ON run.id = task.run
            WHERE task.link = link.name AND run.finished_at IS NULL
              AND (task.pid IS NOT NULL OR task.token IS NOT NULL))
         FROM link ORDER BY name"
    )
}

fn read(found: &Row) -> StateResult<Member> {
    Ok(Member {
        name: row::text(found, 0)?,
        host: row::text(found, 1)?,
        pid: row::get(found, 2)?,
        version: row::get(found, 3)?,
        started_at: row::moment(found, 4)?,
        seen_at: row::moment(found, 5)?,
        silent: row::get(found, 6)?,
        is_at_work: row::get(found, 7)?,
        runs: row::count(found, 8)?,
    })
}

async fn roster(tx: &Tx<'_>) -> StateResult<Roster> {
    let sql = "SELECT to_regclass('link') IS NOT NULL";
    if !row::get(&tx.query_one(sql, &[]).await?, 0)? {
        return Ok(Roster::default());
    }
    let members = tx.query(&select(), &[]).await?;
    let sql = "SELECT count(*) FROM node WHERE unregistered_at IS NULL
                 AND online_until > extract(epoch FROM clock_timestamp())";
    Ok(Roster {
        members: members.iter().map(read).collect::<StateResult<_>>()?,
        nodes: row::count(&tx.query_one(sql, &[]).await?, 0)?,
    })
}

impl PostgresState {
    /// The SuperLinks that work with a database, or did.
    ///
    /// # Errors
    /// If the server cannot be reached, or is not fit.
    pub async fn superlinks(address: &PostgresUrl) -> Result<Roster, PostgresError> {
        let pool = opening::connector(address)?.pool();
        let mut connection = opening::reach(address, &pool).await?;
        let read = async {
            let snapshot = reader::snapshot(&mut connection).await?;
            roster(&snapshot).await
        };
        read.await.map_err(opening::failed(address))
    }
}
