//! The keys of nodes that people have unregistered.

use std::collections::HashSet;

use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::row;
use super::unit::Tx;
use crate::link::state::StateResult;

pub(super) async fn add(tx: &Tx<'_>, key: &PublicKey, now: Timestamp) -> StateResult<()> {
    let sql = "INSERT INTO node_dismissed (key, at) VALUES ($1, $2)
               ON CONFLICT (key) DO UPDATE SET at = excluded.at";
    tx.execute(sql, &[&key.to_openssh(), &now.as_secs()])
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &Tx<'_>, key: &PublicKey) -> StateResult<()> {
    let sql = "DELETE FROM node_dismissed WHERE key = $1";
    tx.execute(sql, &[&key.to_openssh()]).await?;
    Ok(())
}

pub(super) async fn all(tx: &Tx<'_>) -> StateResult<HashSet<PublicKey>> {
    let keys = tx.query("SELECT key FROM node_dismissed", &[]).await?;
    keys.iter().map(|found| row::key(found, 0)).collect()
}

/// The keys of those of these nodes that people have unregistered.
pub(super) async fn of_nodes(tx: &Tx<'_>, nodes: &[i64]) -> StateResult<Vec<PublicKey>> {
    let sql = "SELECT key FROM node JOIN node_dismissed USING (key)
               WHERE node.id = ANY($1) AND unregistered_at IS NOT NULL";
    let select = tx.prepare_cached(sql).await?;
    let keys = tx.query(&select, &[&nodes]).await?;
    keys.iter().map(|found| row::key(found, 0)).collect()
}
