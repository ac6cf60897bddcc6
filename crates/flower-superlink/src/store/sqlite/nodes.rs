//! The rows of nodes: keys, life, and what a node has in hand.

use std::collections::HashSet;

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::row::{self, signed};
use super::{SqliteState, life};
use crate::link::state::{
    self, Changed, Enrolment, KnownNode, Registration, Session, StateResult, Traits, Written,
};

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, key, owner, wire, session, registered_at, activated_at, \
                       deactivated_at, unregistered_at, online_until, name, location, release, \
                       certificate, next_key";

fn read(row: &Row<'_>) -> rusqlite::Result<KnownNode> {
    let wire: String = row.get(3)?;
    Ok(KnownNode {
        id: NodeId(row::id(row, 0)?),
        key: row::key(row, 1)?,
        next_key: row::maybe_key(row, 14)?,
        owner: row.get(2)?,
        wire: Some(wire).filter(|wire| !wire.is_empty()),
        session: row::id(row, 4)?,
        registered_at: row::moment(row, 5)?,
        activated_at: row::moment(row, 6)?,
        deactivated_at: row::moment(row, 7)?,
        unregistered_at: row::moment(row, 8)?,
        online_until: Timestamp::from_secs(row.get(9)?),
        name: row.get(10)?,
        location: row.get(11)?,
        traits: Traits {
            release: row.get(12)?,
            certificate: row.get(13)?,
        },
    })
}

/// The nodes that are not unregistered, each with whether it was heard in its session.
pub(super) fn registered(connection: &Connection) -> StateResult<Vec<(KnownNode, bool)>> {
    let sql = format!("SELECT {COLUMNS}, heard FROM node WHERE unregistered_at IS NULL");
    let mut select = connection.prepare(&sql)?;
    let nodes = select.query_map([], |row| Ok((read(row)?, row.get(15)?)))?;
    Ok(nodes.collect::<Result<_, _>>()?)
}

/// The rows of all nodes.
pub(super) fn count(connection: &Connection) -> StateResult<u64> {
    Ok(connection.query_row("SELECT count(*) FROM node", [], |row| row.get(0))?)
}

pub(super) fn unregistered(connection: &Connection) -> StateResult<Vec<KnownNode>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE unregistered_at IS NOT NULL");
    let mut select = connection.prepare_cached(&sql)?;
    let nodes = select.query_map([], read)?;
    Ok(nodes.collect::<Result<_, _>>()?)
}

pub(super) fn get(connection: &Connection, node: NodeId) -> StateResult<Option<KnownNode>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE id = ?");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_row([signed(node)], read).optional()?)
}

pub(super) fn of_key(connection: &Connection, key: &PublicKey) -> StateResult<Option<NodeId>> {
    let mut select = connection
        .prepare_cached("SELECT id FROM node WHERE key = ? AND unregistered_at IS NULL")?;
    let found = select.query_row([key.to_openssh()], |row| row::id(row, 0));
    Ok(found.optional()?.map(NodeId))
}

pub(super) fn add(connection: &Connection, node: &KnownNode) -> StateResult<()> {
    connection
        .prepare_cached(
            "INSERT INTO node (id, key, registered_at, online_until) VALUES (?, ?, ?, ?)",
        )?
        .execute(params![
            signed(node.id),
            node.key.to_openssh(),
            node.registered_at.map(Timestamp::as_secs),
            node.online_until.as_secs(),
        ])?;
    Ok(())
}

/// Writes what a person has said of the node.
pub(super) fn update_enrolment(connection: &Connection, node: &KnownNode) -> StateResult<()> {
    let sql = "UPDATE node SET owner = ?2, name = ?3, location = ?4 WHERE id = ?1";
    let mut update = connection.prepare_cached(sql)?;
    update.execute(params![
        signed(node.id),
        node.owner,
        node.name,
        node.location
    ])?;
    Ok(())
}

fn note_traits(connection: &Connection, node: NodeId, traits: &Traits) -> StateResult<()> {
    let sql = "UPDATE node SET release = ?2, certificate = ?3 WHERE id = ?1";
    let mut update = connection.prepare_cached(sql)?;
    update.execute(params![signed(node), traits.release, traits.certificate])?;
    Ok(())
}

/// Writes a step of the node's life. The node has not been heard in a session that is new.
pub(super) fn update(connection: &Connection, node: &KnownNode) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE node SET heard = heard AND session = ?2, session = ?2, activated_at = ?3,
           deactivated_at = ?4, unregistered_at = ?5, online_until = ?6 WHERE id = ?1",
    )?;
    update.execute(params![
        signed(node.id),
        signed(node.session),
        node.activated_at.map(Timestamp::as_secs),
        node.deactivated_at.map(Timestamp::as_secs),
        node.unregistered_at.map(Timestamp::as_secs),
        node.online_until.as_secs(),
    ])?;
    Ok(())
}

/// Writes what signs of life have changed of a node, if the node is still in this session.
pub(super) fn update_signs(
    connection: &Connection,
    node: &KnownNode,
    heard: bool,
) -> StateResult<()> {
    let mut update = connection.prepare_cached(
        "UPDATE node SET heard = ?3, activated_at = ?4, deactivated_at = ?5, online_until = ?6
         WHERE id = ?1 AND session = ?2 AND unregistered_at IS NULL
           AND (heard <> ?3 OR online_until <> ?6)",
    )?;
    update.execute(params![
        signed(node.id),
        signed(node.session),
        heard,
        node.activated_at.map(Timestamp::as_secs),
        node.deactivated_at.map(Timestamp::as_secs),
        node.online_until.as_secs(),
    ])?;
    Ok(())
}

pub(super) fn note_wire(connection: &Connection, node: NodeId, wire: &str) -> StateResult<()> {
    let mut update = connection.prepare_cached("UPDATE node SET wire = ? WHERE id = ?")?;
    update.execute(params![wire, signed(node)])?;
    Ok(())
}

fn note_certificate(connection: &Connection, owner: &str) -> StateResult<()> {
    let sql = "INSERT OR IGNORE INTO node_certificate (owner) VALUES (?)";
    connection.prepare_cached(sql)?.execute([owner])?;
    Ok(())
}

/// The owners of the certificates by which nodes were seen.
pub(super) fn certificates(connection: &Connection) -> StateResult<HashSet<String>> {
    let mut select = connection.prepare("SELECT owner FROM node_certificate")?;
    let owners = select.query_map([], |row| row.get(0))?;
    Ok(owners.collect::<Result<_, _>>()?)
}

pub(super) fn exists(connection: &Connection, node: NodeId) -> StateResult<bool> {
    let mut select =
        connection.prepare_cached("SELECT 1 FROM node WHERE id = ? AND unregistered_at IS NULL")?;
    Ok(select.exists([signed(node)])?)
}

pub(super) fn is_in_session(
    connection: &Connection,
    node: NodeId,
    session: Session,
) -> StateResult<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM node WHERE id = ? AND session = ? AND unregistered_at IS NULL",
    )?;
    Ok(select.exists([signed(node), signed(session)])?)
}

#[async_trait]
impl state::Nodes for SqliteState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<Registration> {
        let (presence, key) = (self.presence(), key.clone());
        let (node, new) = self
            .writer
            .write_then(
                move |c| life::register(c, &key, fresh, now),
                move |(_, new)| {
                    if let Some(node) = new {
                        presence.registered(node.clone());
                    }
                },
            )
            .await?;
        let resumed = new.is_none();
        Ok((Registration { node, resumed }, Changed::default()))
    }

    async fn enroll_node(
        &self,
        enrolment: &Enrolment,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<NodeId> {
        let (presence, enrolled) = (self.presence(), self.presence());
        let enrolment = enrolment.clone();
        let (node, _) = self
            .writer
            .write_then(
                move |c| life::enroll(c, &presence, &enrolment, fresh, now),
                move |(node, is_new)| enrolled.enrolled(node, *is_new),
            )
            .await?;
        Ok((node.id, Changed::default()))
    }

    async fn dismiss_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, dismissed) = (self.presence(), self.presence());
        let written = self.writer.write_then(
            move |c| life::dismiss(c, &presence, node, now),
            move |(key, _)| {
                if let Some(key) = key {
                    dismissed.removed(node);
                    dismissed.dismissed(key.clone());
                }
            },
        );
        Ok(((), written.await?.1))
    }

    fn is_dismissed(&self, key: &PublicKey) -> bool {
        self.presence.is_dismissed(key)
    }

    fn is_key_of(&self, key: &PublicKey, node: NodeId) -> bool {
        self.presence.is_key_of(key, node)
    }

    async fn activate_node(
        &self,
        node: NodeId,
        until: Timestamp,
        now: Timestamp,
    ) -> Written<Session> {
        let (presence, activated) = (self.presence(), self.presence());
        let written = self.change(
            move |c| life::activate(c, &presence, node, until, now),
            move |known| activated.activated(known),
        );
        let (known, changed) = written.await?;
        Ok((known.session, changed))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> StateResult<bool> {
        Ok(self.presence.keep_node(node, until, now))
    }

    async fn deactivate_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, deactivated) = (self.presence(), self.presence());
        let written = self.change(
            move |c| life::deactivate(c, &presence, node, now),
            move |known| {
                if let Some(known) = known {
                    deactivated.deactivated(known);
                }
            },
        );
        Ok(((), written.await?.1))
    }

    async fn unregister_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, removed) = (self.presence(), self.presence());
        let written = self.writer.write_then(
            move |c| life::unregister(c, &presence, node, now),
            move |_| removed.removed(node),
        );
        Ok(((), written.await?.1))
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        Ok(self.presence.of_key(key))
    }

    async fn session(&self, node: NodeId) -> StateResult<Option<Session>> {
        Ok(self.presence.session(node))
    }

    fn hear_node(&self, node: NodeId) {
        self.presence.hear(node);
    }

    fn was_heard(&self, node: NodeId) -> bool {
        self.presence.was_heard(node)
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

    async fn note_traits(&self, node: NodeId, traits: &Traits) -> StateResult<()> {
        let presence = self.presence();
        let (kept, noted) = (traits.clone(), traits.clone());
        self.writer
            .write_then(
                move |c| note_traits(c, node, &kept),
                move |()| presence.note_traits(node, &noted),
            )
            .await
    }

    async fn note_certificate(&self, owner: &str) -> StateResult<()> {
        let presence = self.presence();
        let (kept, noted) = (owner.to_owned(), owner.to_owned());
        self.writer
            .write_then(
                move |c| note_certificate(c, &kept),
                move |()| presence.note_certificate(noted.clone()),
            )
            .await
    }

    fn is_of_node(&self, owner: &str) -> bool {
        self.presence.is_of_node(owner)
    }

    async fn node(&self, node: NodeId) -> StateResult<Option<KnownNode>> {
        match self.presence.node(node) {
            Some(known) => Ok(Some(known)),
            None => self.reader.read(move |c| get(c, node)).await,
        }
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        // In this order: a node that goes between the two looks is found by both.
        let mut nodes = self.presence.all();
        nodes.extend(self.reader.read(unregistered).await?);
        nodes.sort_by_key(|node| node.id);
        nodes.dedup_by_key(|node| node.id);
        Ok(nodes)
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        Ok(self.presence.online(now))
    }
}
