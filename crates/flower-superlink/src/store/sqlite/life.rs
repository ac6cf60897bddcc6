//! The life of nodes: each comes, goes online and offline, and goes for good.

use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;
use rusqlite::{Connection, params};

use super::row::signed;
use super::{dismissed, in_hand, messages, nodes};
use crate::link::state::{Changed, Enrolment, KnownNode, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::presence::Presence;

/// Binds the key to a node, and gives the node if it is new.
pub(super) fn register(
    connection: &Connection,
    key: &PublicKey,
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(NodeId, Option<KnownNode>)> {
    if let Some(node) = nodes::of_key(connection, key)? {
        return Ok((node, None));
    }
    let node = KnownNode::registered(fresh, key.clone(), now);
    nodes::add(connection, &node)?;
    Ok((fresh, Some(node)))
}

/// A person registers a node. Gives the node, and whether it is new.
pub(super) fn enroll(
    connection: &Connection,
    presence: &Presence,
    enrolment: &Enrolment,
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(KnownNode, bool)> {
    let bound = match nodes::of_key(connection, &enrolment.key)? {
        Some(node) => known(connection, presence, node)?,
        None => None,
    };
    let is_new = bound.is_none();
    let mut node =
        bound.unwrap_or_else(|| KnownNode::registered(fresh, enrolment.key.clone(), now));
    if node.owner.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    if is_new {
        nodes::add(connection, &node)?;
    }
    node.enroll(enrolment);
    nodes::update_enrolment(connection, &node)?;
    dismissed::remove(connection, &enrolment.key)?;
    Ok((node, is_new))
}

/// A person ends the life of the node. Gives its key. `None`: the node is not known.
pub(super) fn dismiss(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<Option<PublicKey>> {
    let Some(known) = known(connection, presence, node)? else {
        return Ok((None, Changed::default()));
    };
    dismissed::add(connection, &known.key, now)?;
    let (_, changed) = unregister(connection, presence, node, now)?;
    Ok((Some(known.key), changed))
}

/// The node, if it is registered. The row tells its session, which other work of the same
/// transaction may have changed; memory tells more of signs of life in that session.
fn known(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
) -> StateResult<Option<KnownNode>> {
    let row = nodes::get(connection, node)?.filter(|row| row.unregistered_at.is_none());
    let Some(row) = row else {
        return Ok(None);
    };
    let seen = presence.node(node);
    Ok(seen
        .filter(|seen| seen.session == row.session)
        .or(Some(row)))
}

/// Begins a session of the node. Gives the node as it is then.
pub(super) fn activate(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
    until: Timestamp,
    now: Timestamp,
) -> Written<KnownNode> {
    let mut known = known(connection, presence, node)?.ok_or(Refusal::NotRegistered)?;
    known.activate(until, now);
    nodes::update(connection, &known)?;
    let freed = messages::unclaim(connection, node)?;
    let wake = vec![Topic::Node(node)];
    Ok((known, Changed { freed, wake }))
}

/// Ends the session of the node. `None`: it is not known.
pub(super) fn deactivate(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<Option<KnownNode>> {
    let Some(mut known) = known(connection, presence, node)? else {
        return Ok((None, Changed::default()));
    };
    known.deactivate(now);
    nodes::update(connection, &known)?;
    Ok((Some(known), Changed::wake([Topic::Node(node)])))
}

/// Ends the life of the node. Whether it is known.
pub(super) fn unregister(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<bool> {
    let Some(mut known) = known(connection, presence, node)? else {
        return Ok((false, Changed::default()));
    };
    known.unregister(now);
    nodes::update(connection, &known)?;
    in_hand::handed_out(connection, node, None)?;
    Ok((true, Changed::wake([Topic::Node(node)])))
}

/// Forgets a node that was not there since `moment`, unless an instruction for it is there. Whether
/// it is forgotten.
pub(super) fn forget(
    connection: &Connection,
    presence: &Presence,
    node: NodeId,
    moment: Timestamp,
) -> StateResult<bool> {
    let known = match known(connection, presence, node)? {
        Some(known) => Some(known),
        None => nodes::get(connection, node)?,
    };
    if known.is_none_or(|known| known.last_seen() >= moment) {
        return Ok(false);
    }
    let mut delete = connection.prepare_cached(
        "DELETE FROM node WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM instruction WHERE dst = ?1)",
    )?;
    Ok(delete.execute(params![signed(node)])? > 0)
}
