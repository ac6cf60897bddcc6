//! What changes with each heartbeat, on its way to the database and back.

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::row;
use super::unit::Tx;
use super::{dismissed, nodes, runs, tasks};
use crate::link::state::{StateResult, Traffic};
use crate::store::presence::{Presence, Remembered};

/// Who was there when the state was written last.
pub(super) async fn load(tx: &Tx<'_>, now: Timestamp) -> StateResult<Presence> {
    let seen_at = tx.query_one("SELECT seen_at FROM state", &[]).await?;
    let remembered = Remembered {
        seen_at: row::moment(&seen_at, 0)?,
        nodes: nodes::registered(tx).await?,
        rows: nodes::number(tx).await?,
        begun: tasks::begun(tx).await?,
        certificates: nodes::certificates(tx).await?,
        dismissed: dismissed::all(tx).await?,
    };
    Ok(Presence::new(remembered, now))
}

/// Writes who is online, and the traffic of runs. Gives that traffic: it is written once this is
/// committed.
pub(super) async fn write(
    tx: &Tx<'_>,
    presence: &Presence,
    now: Timestamp,
) -> StateResult<Vec<(RunId, Traffic)>> {
    nodes::update_signs(tx, &presence.signs()).await?;
    tx.execute("UPDATE state SET seen_at = $1", &[&now.as_secs()])
        .await?;
    let traffic = presence.all_unwritten_traffic();
    runs::add_traffic(tx, &traffic).await?;
    Ok(traffic)
}
