//! What changes with each heartbeat, on its way to the database and back.

use flwr_core::id::RunId;
use flwr_core::time::Timestamp;

use tokio_postgres::types::ToSql;

use super::row::{self, secs, signed};
use super::unit::Tx;
use super::{certificates, dismissed, nodes, runs, tasks};
use crate::link::state::{StateResult, Traffic};
use crate::store::presence::{NodeSign, Presence, Remembered, Signs, TaskSign};

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

impl Noted {
    /// This was committed.
    pub(super) fn is_written(&self, presence: &Presence, now: Timestamp) {
        presence.traffic_written(&self.traffic);
        presence.written(&self.signs, now);
    }
}

/// Writes who is online, and the traffic of runs.
pub(super) async fn write(tx: &Tx<'_>, presence: &Presence, now: Timestamp) -> StateResult<Noted> {
    let signs = presence.signs();
    update_nodes(tx, &signs.nodes).await?;
    update_tasks(tx, &signs.tasks).await?;
    tx.execute("UPDATE state SET seen_at = $1", &[&now.as_secs()])
        .await?;
    let traffic = presence.all_unwritten_traffic();
    runs::add_traffic(tx, &traffic).await?;
    Ok(Noted { signs, traffic })
}

/// Whether a sign of life is the last that the row of a node knows. Another SuperLink may have heard the node
/// later: only who wrote the row lowers it.
const IS_LAST: &str = "(node.online_until < new.online_until OR node.online_until = new.own_row)";

/// Writes what signs of life have changed of nodes, those of them that are still in their session.
async fn update_nodes(tx: &Tx<'_>, signs: &[NodeSign]) -> StateResult<()> {
    if signs.is_empty() {
        return Ok(());
    }
    let last =
        |column| format!("{column} = CASE WHEN {IS_LAST} THEN new.{column} ELSE node.{column} END");
    let sql = format!(
        "UPDATE node SET heard = node.heard OR new.heard, {}, {}, {}
         FROM unnest($1::int8[], $2::int8[], $3::bool[], $4::float8[], $5::float8[], $6::float8[], $7::float8[])
           AS new (id, session, heard, activated_at, deactivated_at, online_until, own_row)
         WHERE node.id = new.id AND node.session = new.session AND node.unregistered_at IS NULL
           AND (new.heard AND NOT node.heard
                OR {IS_LAST} AND node.online_until <> new.online_until)",
        last("activated_at"),
        last("deactivated_at"),
        last("online_until"),
    );
    let nodes = || signs.iter().map(|sign| &sign.node);
    let ids: Vec<_> = nodes().map(|node| signed(node.id)).collect();
    let sessions: Vec<_> = nodes().map(|node| signed(node.session)).collect();
    let heard: Vec<_> = signs.iter().map(|sign| sign.heard).collect();
    let activated: Vec<_> = nodes().map(|node| secs(node.activated_at)).collect();
    let deactivated: Vec<_> = nodes().map(|node| secs(node.deactivated_at)).collect();
    let until: Vec<_> = nodes().map(|node| node.online_until.as_secs()).collect();
    let own: Vec<_> = signs.iter().map(|sign| secs(sign.own_row)).collect();
    let values: [&(dyn ToSql + Sync); 7] = [
        &ids,
        &sessions,
        &heard,
        &activated,
        &deactivated,
        &until,
        &own,
    ];
    let update = tx.prepare_cached(&sql).await?;
    tx.execute(&update, &values).await?;
    Ok(())
}

/// Writes until when the processes of tasks count as alive. As for nodes, only who wrote a row lowers it.
async fn update_tasks(tx: &Tx<'_>, signs: &[TaskSign]) -> StateResult<()> {
    if signs.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE task SET alive_until = new.until
               FROM unnest($1::int8[], $2::float8[], $3::float8[]) AS new (id, until, own_row)
               WHERE task.id = new.id
                 AND (task.alive_until IS NULL OR task.alive_until < new.until
                      OR task.alive_until = new.own_row)";
    let ids: Vec<_> = signs.iter().map(|sign| signed(sign.task)).collect();
    let until: Vec<_> = signs.iter().map(|sign| sign.until.as_secs()).collect();
    let own: Vec<_> = signs.iter().map(|sign| secs(sign.own_row)).collect();
    let update = tx.prepare_cached(sql).await?;
    tx.execute(&update, &[&ids, &until, &own]).await?;
    Ok(())
}
