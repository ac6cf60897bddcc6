//! The keys of nodes that people have unregistered.

use std::collections::HashSet;

use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::{Connection, params};

use super::row;
use crate::link::state::StateResult;

pub(super) fn add(connection: &Connection, key: &PublicKey, now: Timestamp) -> StateResult<()> {
    let sql = "INSERT OR REPLACE INTO node_dismissed (key, at) VALUES (?, ?)";
    let mut insert = connection.prepare_cached(sql)?;
    insert.execute(params![key.to_openssh(), now.as_secs()])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, key: &PublicKey) -> StateResult<()> {
    let mut delete = connection.prepare_cached("DELETE FROM node_dismissed WHERE key = ?")?;
    delete.execute([key.to_openssh()])?;
    Ok(())
}

pub(super) fn all(connection: &Connection) -> StateResult<HashSet<PublicKey>> {
    let mut select = connection.prepare("SELECT key FROM node_dismissed")?;
    let keys = select.query_map([], |found| row::key(found, 0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
