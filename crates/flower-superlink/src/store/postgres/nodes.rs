//! The rows of nodes: keys and life.

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::lane::direct;
use super::life::{self, Activate};
use super::reader::reading;
use super::row::{self, secs, signed};
use super::unit::Tx;
use super::{PostgresState, certificates, row::escaped};
use crate::link::state::{
    self, Changed, Enrolment, KnownNode, Registration, Session, StateError, StateResult, Traits,
    Written,
};
use crate::store::presence;

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, key, owner, wire, session, registered_at, activated_at, \
                       deactivated_at, unregistered_at, online_until, name, location, release, \
                       certificate, next_key";

fn read(row: &Row) -> StateResult<KnownNode> {
    let wire = row::text(row, 3)?;
    Ok(KnownNode {
        id: NodeId(row::id(row, 0)?),
        key: row::key(row, 1)?,
        next_key: row::maybe_key(row, 14)?,
        owner: row::maybe_text(row, 2)?,
        wire: Some(wire).filter(|wire| !wire.is_empty()),
        session: row::id(row, 4)?,
        registered_at: row::maybe_moment(row, 5)?,
        activated_at: row::maybe_moment(row, 6)?,
        deactivated_at: row::maybe_moment(row, 7)?,
        unregistered_at: row::maybe_moment(row, 8)?,
        online_until: row::moment(row, 9)?,
        name: row::maybe_text(row, 10)?,
        location: row::maybe_text(row, 11)?,
        traits: Traits {
            release: row::maybe_text(row, 12)?,
            certificate: row::maybe_text(row, 13)?,
        },
    })
}

/// The nodes that are not unregistered, each with whether it was heard in its session.
pub(super) async fn registered(tx: &Tx<'_>) -> StateResult<Vec<(KnownNode, bool)>> {
    let sql = format!("SELECT {COLUMNS}, heard FROM node WHERE unregistered_at IS NULL");
    let nodes = tx.query(&sql, &[]).await?;
    let node = |found| Ok((read(found)?, row::get(found, 15)?));
    nodes.iter().map(node).collect()
}

/// The rows of those of these nodes that are not unregistered.
pub(super) async fn rows(tx: &Tx<'_>, ids: &[i64]) -> StateResult<Vec<presence::Row>> {
    let sql = format!(
        "SELECT {COLUMNS}, heard, edition FROM node
         WHERE id = ANY($1) AND unregistered_at IS NULL"
    );
    let select = tx.prepare_cached(&sql).await?;
    let row = |found: &Row| {
        Ok(presence::Row {
            known: read(found)?,
            heard: row::get(found, 15)?,
            edition: row::get(found, 16)?,
        })
    };
    tx.query(&select, &[&ids]).await?.iter().map(row).collect()
}

/// The number of rows of nodes.
pub(super) async fn number(tx: &Tx<'_>) -> StateResult<u64> {
    row::count(&tx.query_one("SELECT count(*) FROM node", &[]).await?, 0)
}

async fn unregistered(tx: &Tx<'_>) -> StateResult<Vec<KnownNode>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE unregistered_at IS NOT NULL");
    let nodes = tx.query(&sql, &[]).await?;
    nodes.iter().map(read).collect()
}

pub(super) async fn get(tx: &Tx<'_>, node: NodeId) -> StateResult<Option<KnownNode>> {
    let sql = format!("SELECT {COLUMNS} FROM node WHERE id = $1");
    let select = tx.prepare_cached(&sql).await?;
    let found = tx.query_opt(&select, &[&signed(node)]).await?;
    found.as_ref().map(read).transpose()
}

pub(super) async fn of_key(tx: &Tx<'_>, key: &PublicKey) -> StateResult<Option<NodeId>> {
    let sql = "SELECT id FROM node WHERE key = $1 AND unregistered_at IS NULL";
    let select = tx.prepare_cached(sql).await?;
    let found = tx.query_opt(&select, &[&key.to_openssh()]).await?;
    let id = |found| row::id(found, 0).map(NodeId);
    found.as_ref().map(id).transpose()
}

pub(super) async fn add(tx: &Tx<'_>, node: &KnownNode) -> StateResult<()> {
    let sql = "INSERT INTO node (id, key, registered_at, online_until, edition)
               VALUES ($1, $2, $3, $4, nextval('node_edition'))";
    let insert = tx.prepare_cached(sql).await?;
    let values: [&(dyn ToSql + Sync); 4] = [
        &signed(node.id),
        &node.key.to_openssh(),
        &secs(node.registered_at),
        &node.online_until.as_secs(),
    ];
    tx.execute(&insert, &values).await?;
    Ok(())
}

/// Writes what a person has said of the node.
pub(super) async fn update_enrolment(tx: &Tx<'_>, node: &KnownNode) -> StateResult<()> {
    let sql = "UPDATE node SET owner = $2, name = $3, location = $4,
                 edition = nextval('node_edition') WHERE id = $1";
    let values: [&(dyn ToSql + Sync); 4] = [
        &signed(node.id),
        &row::maybe_escaped(node.owner.as_ref()),
        &row::maybe_escaped(node.name.as_ref()),
        &row::maybe_escaped(node.location.as_ref()),
    ];
    tx.execute(sql, &values).await?;
    Ok(())
}

async fn note_traits(tx: &Tx<'_>, node: NodeId, traits: &Traits) -> StateResult<()> {
    let sql = "UPDATE node SET release = $2, certificate = $3, edition = nextval('node_edition')
               WHERE id = $1";
    let update = tx.prepare_cached(sql).await?;
    let values: [&(dyn ToSql + Sync); 3] = [
        &signed(node),
        &row::maybe_escaped(traits.release.as_ref()),
        &row::maybe_escaped(traits.certificate.as_ref()),
    ];
    tx.execute(&update, &values).await?;
    Ok(())
}

/// Writes a step of the node's life. The node has not been heard in a session that is new.
pub(super) async fn update(tx: &Tx<'_>, node: &KnownNode) -> StateResult<()> {
    let sql = "UPDATE node SET heard = heard AND session = $2, session = $2, activated_at = $3,
                 deactivated_at = $4, unregistered_at = $5, online_until = $6,
                 edition = nextval('node_edition') WHERE id = $1";
    let update = tx.prepare_cached(sql).await?;
    let values: [&(dyn ToSql + Sync); 6] = [
        &signed(node.id),
        &signed(node.session),
        &secs(node.activated_at),
        &secs(node.deactivated_at),
        &secs(node.unregistered_at),
        &node.online_until.as_secs(),
    ];
    tx.execute(&update, &values).await?;
    Ok(())
}

async fn note_wire(tx: &Tx<'_>, node: NodeId, wire: &str) -> StateResult<()> {
    let update = tx
        .prepare_cached(
            "UPDATE node SET wire = $1, edition = nextval('node_edition') WHERE id = $2",
        )
        .await?;
    tx.execute(&update, &[&escaped(wire), &signed(node)])
        .await?;
    Ok(())
}

#[async_trait]
impl state::Nodes for PostgresState {
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        now: Timestamp,
    ) -> Written<Registration> {
        let (presence, key) = (self.presence(), key.clone());
        let register = direct!([key] tx => life::register(tx, &key, fresh, now));
        let registered = self.lane.write_then(register, move |(_, new)| {
            if let Some(node) = new {
                presence.registered(KnownNode::clone(node));
            }
        });
        let (node, new) = registered.await?;
        let resumed = new.is_none();
        if resumed {
            self.know(node).await?;
        } else {
            self.wakes.tell_changed(node);
        }
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
        let enroll = direct!([presence, enrolment] tx => life::enroll(tx, &presence, &enrolment, fresh, now));
        let written = self.lane.write_then(enroll, move |(node, is_new)| {
            enrolled.enrolled(node, *is_new);
        });
        let node = written.await?.0.id;
        self.wakes.tell_changed(node);
        // It is registered, whether memory has it now or after the next look.
        let _ = self.know(node).await;
        Ok((node, Changed::default()))
    }

    async fn dismiss_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, dismissed) = (self.presence(), self.presence());
        let dismiss = direct!([presence] tx => life::dismiss(tx, &presence, node, now));
        let written = self.lane.write_then(dismiss, move |(key, _)| {
            if let Some(key) = key {
                dismissed.removed(node);
                dismissed.dismissed(PublicKey::clone(key));
            }
        });
        let (_, changed) = written.await?;
        self.wakes.tell_changed(node);
        Ok(((), changed))
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
        let activated = self.presence();
        let activate = Activate {
            presence: self.presence(),
            node,
            until,
            now,
        };
        let written = self.change(activate, move |known| activated.activated(known));
        let written = written.await;
        if let Err(StateError::Refused(Refusal::NotRegistered)) = &written {
            // Another SuperLink has unregistered it. The caller tries again, and asks memory for the node.
            self.find(&[node]).await?;
        }
        let (known, changed) = written?;
        self.wakes.tell_changed(node);
        Ok((known.session, changed))
    }

    async fn keep_node(&self, node: NodeId, until: Timestamp, now: Timestamp) -> StateResult<bool> {
        self.know(node).await?;
        Ok(self.presence.keep_node(node, until, now))
    }

    async fn deactivate_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, deactivated) = (self.presence(), self.presence());
        let deactivate = direct!([presence] tx => life::deactivate(tx, &presence, node, now));
        let written = self.change(deactivate, move |known| {
            if let Some(known) = known {
                deactivated.deactivated(known);
            }
        });
        let (_, changed) = written.await?;
        self.wakes.tell_changed(node);
        Ok(((), changed))
    }

    async fn unregister_node(&self, node: NodeId, now: Timestamp) -> Written<()> {
        let (presence, removed) = (self.presence(), self.presence());
        let unregister = direct!([presence] tx => life::unregister(tx, &presence, node, now));
        let written = self
            .lane
            .write_then(unregister, move |_| removed.removed(node));
        let (_, changed) = written.await?;
        self.wakes.tell_changed(node);
        Ok(((), changed))
    }

    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>> {
        match self.presence.of_key(key) {
            // A moment ago, another SuperLink may have registered it.
            None if self.wakes.has_neighbours() => {
                let found = reading!(self, tx => of_key(tx, key))?;
                if let Some(node) = found {
                    // What is asked of the node next is asked of memory.
                    self.know(node).await?;
                }
                Ok(found)
            }
            known => Ok(known),
        }
    }

    async fn session(&self, node: NodeId) -> StateResult<Option<Session>> {
        self.know(node).await?;
        Ok(self.presence.session(node))
    }

    fn hear_node(&self, node: NodeId) {
        self.presence.hear(node);
    }

    fn was_heard(&self, node: NodeId) -> bool {
        self.presence.was_heard(node)
    }

    async fn note_wire(&self, node: NodeId, wire: &str) -> StateResult<()> {
        let (presence, kept, noted) = (self.presence(), wire.to_owned(), wire.to_owned());
        let note = direct!([kept] tx => note_wire(tx, node, &kept));
        let written = self
            .lane
            .write_then(note, move |()| presence.note_wire(node, &noted));
        written.await?;
        self.wakes.tell_changed(node);
        Ok(())
    }

    async fn wire(&self, node: NodeId) -> StateResult<Option<String>> {
        Ok(self.presence.wire(node))
    }

    async fn note_traits(&self, node: NodeId, traits: &Traits) -> StateResult<()> {
        let (presence, kept, noted) = (self.presence(), traits.clone(), traits.clone());
        let note = direct!([kept] tx => note_traits(tx, node, &kept));
        let written = self
            .lane
            .write_then(note, move |()| presence.note_traits(node, &noted));
        written.await?;
        self.wakes.tell_changed(node);
        Ok(())
    }

    async fn note_certificate(&self, owner: &str) -> StateResult<()> {
        let (presence, kept, noted) = (self.presence(), owner.to_owned(), owner.to_owned());
        let note = direct!([kept] tx => certificates::note(tx, &kept));
        let written = self
            .lane
            .write_then(note, move |()| presence.note_certificate(noted));
        written.await
    }

    fn is_of_node(&self, owner: &str) -> bool {
        self.presence.is_of_node(owner)
    }

    async fn node(&self, node: NodeId) -> StateResult<Option<KnownNode>> {
        match self.presence.node(node) {
            Some(known) => Ok(Some(known)),
            None => reading!(self, tx => get(tx, node)),
        }
    }

    async fn nodes(&self) -> StateResult<Vec<KnownNode>> {
        // In this order: a node that goes between the two looks is found by both.
        let mut nodes = self.presence.all();
        nodes.extend(reading!(self, tx => unregistered(tx))?);
        nodes.sort_by_key(|node| node.id);
        nodes.dedup_by_key(|node| node.id);
        Ok(nodes)
    }

    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>> {
        // After an outage of the database, memory first reads what others have heard.
        self.follow(now).await?;
        Ok(self.presence.online(now))
    }
}
