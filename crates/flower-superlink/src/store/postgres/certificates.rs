//! The owners of the certificates by which nodes were seen.

use std::collections::HashSet;

use super::row::{self, escaped};
use super::unit::Tx;
use crate::link::state::StateResult;

pub(super) async fn note(tx: &Tx<'_>, owner: &str) -> StateResult<()> {
    let sql = "INSERT INTO node_certificate (owner) VALUES ($1) ON CONFLICT DO NOTHING";
    tx.execute(sql, &[&escaped(owner)]).await?;
    Ok(())
}

/// The owners of the certificates by which nodes were seen.
pub(super) async fn all(tx: &Tx<'_>) -> StateResult<HashSet<String>> {
    let owners = tx.query("SELECT owner FROM node_certificate", &[]).await?;
    owners.iter().map(|found| row::text(found, 0)).collect()
}
