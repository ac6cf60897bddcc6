//! Counts nodes, runs and messages.

use async_trait::async_trait;
use flwr_core::time::Timestamp;

use super::PostgresState;
use super::reader::reading;
use super::row;
use super::runs::read_phase;
use super::unit::Tx;
use crate::link::state::{Census, CommitMeter, Counting, StateResult};
use crate::store::columns::{PHASES, UNANSWERED};

async fn count(tx: &Tx<'_>) -> StateResult<Census> {
    let mut census = Census::default();
    let phases = tx.prepare_cached(PHASES).await?;
    for found in tx.query(&phases, &[]).await? {
        census.add_runs(read_phase(&found, 0)?, row::count(&found, 1)?);
    }
    let unanswered = tx.prepare_cached(UNANSWERED).await?;
    let found = tx.query_one(&unanswered, &[]).await?;
    census.in_flight = row::count(&found, 0)?;
    census.waiting = row::count(&found, 1)?;
    let oldest: Option<f64> = row::get(&found, 2)?;
    census.oldest = oldest.map(Timestamp::from_secs);
    Ok(census)
}

#[async_trait]
impl Counting for PostgresState {
    async fn census(&self, now: Timestamp) -> StateResult<Census> {
        let mut census = reading!(self, tx => count(tx))?;
        self.presence.count(now, &mut census);
        Ok(census)
    }

    fn commits(&self) -> Option<&CommitMeter> {
        Some(self.lane.meter())
    }
}
