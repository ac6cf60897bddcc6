//! Nodes and their keys, and what a node has in hand.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::MessageId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, signed};
use super::{SqliteState, registration};
use crate::link::state::{self, Changed, KnownNode, Registration, StateResult, Written};
use crate::link::wake::Topic;

pub(super) fn of_key(connection: &Connection, key: &PublicKey) -> StateResult<Option<NodeId>> {
    let mut select = connection.prepare_cached("SELECT id FROM node WHERE key = ?")?;
    let found = select.query_row([key.to_openssh()], |row| row::id(row, 0));
    Ok(found.optional()?.map(NodeId))
}

pub(super) fn add(
    connection: &Connection,
    node: NodeId,
    key: &PublicKey,
    until: Timestamp,
) -> StateResult<()> {
    connection
        .prepare_cached("INSERT INTO node (id, key, online_until) VALUES (?, ?, ?)")?
        .execute(params![signed(node), key.to_openssh(), until.as_secs()])?;
    Ok(())
}

pub(super) fn remove(connection: &Connection, node: NodeId) -> StateResult<()> {
    let mut delete = connection.prepare_cached("DELETE FROM node WHERE id = ?")?;
    delete.execute([signed(node)])?;
    Ok(())
}

pub(super) fn note_wire(connection: &Connection, node: NodeId, wire: &str) -> StateResult<()> {
    let mut update = connection.prepare_cached("UPDATE node SET dialect = ? WHERE id = ?")?;
    update.execute(params![wire, signed(node)])?;
    Ok(())
}

pub(super) fn exists(connection: &Connection, node: NodeId) -> StateResult<bool> {
    let mut select = connection.prepare_cached("SELECT 1 FROM node WHERE id = ?")?;
    Ok(select.exists([signed(node)])?)
}

/// What was handed to the node last, if it never said that it arrived.
pub(super) fn unconfirmed(
    connection: &Connection,
    node: NodeId,
) -> StateResult<Option<(RunId, MessageId)>> {
    let mut select = connection.prepare_cached(
        "SELECT unconfirmed_run, unconfirmed FROM node WHERE id = ? AND unconfirmed IS NOT NULL",
    )?;
    let found = select.query_row([signed(node)], |row| {
        Ok((RunId(row::id(row, 0)?), row::object_id(row, 1)?))
    });
    Ok(found.optional()?)
}

pub(super) fn handed_out(
    connection: &Connection,
    node: NodeId,
    message: Option<(RunId, MessageId)>,
) -> StateResult<()> {
    let mut update = connection
        .prepare_cached("UPDATE node SET unconfirmed_run = ?, unconfirmed = ? WHERE id = ?")?;
    let (run, id) = message.unzip();
    let id = id.as_ref().map(MessageId::as_bytes);
    update.execute(params![run.map(signed), id, signed(node)])?;
    Ok(())
}

/// The node has the message.
pub(super) fn confirmed(
    connection: &Connection,
    run: RunId,
    message: MessageId,
) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL
         WHERE id = (SELECT dst FROM instruction WHERE run = ?1 AND id = ?2)
         AND unconfirmed_run = ?1 AND unconfirmed = ?2",
    )?;
    update.execute(params![signed(run), message.as_bytes()])?;
    Ok(())
}

#[async_trait]
impl state::Nodes for SqliteState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> Written<Registration> {
        let (presence, key) = (self.presence(), key.clone());
        let known_by = key.clone();
        self.change(
            move |c| registration::register(c, &key, fresh, until),
            move |registration| presence.registered(registration.node, known_by, until),
        )
        .await
    }

    async fn remove_node(&self, node: NodeId) -> Written<()> {
        let presence = self.presence();
        self.change(
            move |c| {
                remove(c, node)?;
                Ok(((), Changed::wake([Topic::Node(node)])))
            },
            move |()| presence.removed(node),
        )
        .await
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.presence.of_key(key))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool> {
        Ok(self.presence.keep_node(node, until))
    }

    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()> {
        let presence = self.presence();
        let (kept, noted) = (wire.to_owned(), wire.to_owned());
        self.writer
            .write_then(
                move |c| note_wire(c, node, &kept),
                move |()| presence.note_wire(node, &noted),
            )
            .await
    }

    async fn wire(&self, node: NodeId) -> StateResult<Option<String>> {
        Ok(self.presence.wire(node))
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        Ok(self.presence.all())
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        Ok(self.presence.online(now))
    }
}
