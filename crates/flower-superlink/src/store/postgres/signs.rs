//! What changes with each heartbeat, on its way to the database and back.

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use super::row;
use super::unit::Tx;
use super::{certificates, dismissed, nodes, runs, tasks};
use crate::link::state::{StateResult, Traffic};
use crate::store::presence::{Presence, Remembered, Signs};

/// Who was there when the state was written last. While other SuperLinks work with the state, nodes need no
/// time to return, but for those that were there when the SuperLink of this name wrote last, `seen_before`:
/// if it was killed, what it heard since is lost.
pub(super) async fn load(
    tx: &Tx<'_>,
    has_others: bool,
    seen_before: Option<Timestamp>,
    now: Timestamp,
) -> StateResult<Presence> {
    let seen_at = tx.query_one("SELECT seen_at FROM state", &[]).await?;
    let remembered = Remembered {
        seen_at: match has_others {
            true => seen_before.unwrap_or(Timestamp::NEVER),
            false => row::moment(&seen_at, 0)?,
        },
        has_others,
        nodes: nodes::registered(tx).await?,
        rows: nodes::number(tx).await?,
        begun: tasks::begun(tx).await?,
        certificates: certificates::all(tx).await?,
        dismissed: dismissed::all(tx).await?,
    };
    Ok(Presence::new(remembered, now))
}

/// What was written: memory notes it once this is committed.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) signs: Signs,
    pub(super) traffic: Vec<(RunId, Traffic)>,
}

/// Writes who is online, and the traffic of runs.
pub(super) async fn write(tx: &Tx<'_>, presence: &Presence, now: Timestamp) -> StateResult<Noted> {
    let signs = presence.signs();
    nodes::update_signs(tx, &signs.nodes).await?;
    tasks::update_signs(tx, &signs.tasks).await?;
    tx.execute("UPDATE state SET seen_at = $1", &[&now.as_secs()])
        .await?;
    let traffic = presence.all_unwritten_traffic();
    runs::add_traffic(tx, &traffic).await?;
    Ok(Noted { signs, traffic })
}
