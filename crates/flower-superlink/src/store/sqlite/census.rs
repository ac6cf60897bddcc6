//! Counts nodes, runs and messages.

use async_trait::async_trait;
use flwr_core::time::Timestamp;
use rusqlite::Connection;

use super::SqliteState;
use super::runs::read_phase;
use crate::link::state::{Census, CommitMeter, Counting, StateResult};
use crate::store::columns::{PHASES, UNANSWERED};

fn count(connection: &Connection) -> StateResult<Census> {
    let mut census = Census::default();
    let mut phases = connection.prepare_cached(PHASES)?;
    let mut rows = phases.query([])?;
    while let Some(row) = rows.next()? {
        census.add_runs(read_phase(row, 0)?, row.get(1)?);
    }
    let mut unanswered = connection.prepare_cached(UNANSWERED)?;
    let oldest: Option<f64>;
    (census.in_flight, census.waiting, oldest) =
        unanswered.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    census.oldest = oldest.map(Timestamp::from_secs);
    Ok(census)
}

#[async_trait]
impl Counting for SqliteState {
    async fn census(&self, now: Timestamp) -> StateResult<Census> {
        let mut census = self.reader.read(count).await?;
        self.presence.count(now, &mut census);
        Ok(census)
    }

    fn commits(&self) -> Option<&CommitMeter> {
        Some(self.writer.meter())
    }
}
