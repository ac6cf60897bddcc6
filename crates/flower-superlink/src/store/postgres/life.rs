//! The life of nodes: each comes, goes online and offline, and goes for good.

use std::sync::Arc;

use async_trait::async_trait;
use flwr_core::id::NodeId;
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_security::key::PublicKey;

use super::lane::Op;
use super::row::signed;
use super::unit::{Tx, Unit};
use super::{dismissed, nodes};
use crate::link::state::{Changed, Enrolment, KnownNode, StateResult, Written};
use crate::link::wake::Topic;
use crate::store::presence::Presence;

/// Binds the key to a node, and gives the node if it is new.
pub(super) async fn register(
    tx: &Tx<'_>,
    key: &PublicKey,
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(NodeId, Option<KnownNode>)> {
    if let Some(node) = nodes::of_key(tx, key).await? {
        return Ok((node, None));
    }
    let node = KnownNode::registered(fresh, key.clone(), now);
    nodes::add(tx, &node).await?;
    Ok((fresh, Some(node)))
}

/// A person registers a node. Gives the node, and whether it is new.
pub(super) async fn enroll(
    tx: &Tx<'_>,
    presence: &Presence,
    enrolment: &Enrolment,
    fresh: NodeId,
    now: Timestamp,
) -> StateResult<(KnownNode, bool)> {
    let bound = match nodes::of_key(tx, &enrolment.key).await? {
        Some(node) => known(tx, presence, node).await?,
        None => None,
    };
    let is_new = bound.is_none();
    let mut node =
        bound.unwrap_or_else(|| KnownNode::registered(fresh, enrolment.key.clone(), now));
    if node.owner.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    if is_new {
        nodes::add(tx, &node).await?;
    }
    node.enroll(enrolment);
    nodes::update_enrolment(tx, &node).await?;
    dismissed::remove(tx, &enrolment.key).await?;
    Ok((node, is_new))
}

/// A person ends the life of the node. Gives its key. `None`: the node is not known.
pub(super) async fn dismiss(
    tx: &Tx<'_>,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<Option<PublicKey>> {
    let Some(known) = known(tx, presence, node).await? else {
        return Ok((None, Changed::default()));
    };
    dismissed::add(tx, &known.key, now).await?;
    let (_, changed) = unregister(tx, presence, node, now).await?;
    Ok((Some(known.key), changed))
}

/// The node, if it is registered. The row tells what it is, whoever has changed that; memory tells more of
/// signs of life alone.
async fn known(tx: &Tx<'_>, presence: &Presence, node: NodeId) -> StateResult<Option<KnownNode>> {
    let row = nodes::get(tx, node).await?;
    let row = row.filter(|row| row.unregistered_at.is_none());
    Ok(row.map(|row| presence.latest(row)))
}

/// Begins a session of a node. Gives the node as it is then.
#[derive(Debug)]
pub(super) struct Activate {
    pub(super) presence: Arc<Presence>,
    pub(super) node: NodeId,
    pub(super) until: Timestamp,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Op for Activate {
    type Out = (KnownNode, Changed);

    async fn apply(&self, unit: &mut Unit<'_>) -> StateResult<Self::Out> {
        let tx = unit.direct().await?;
        let known = known(tx, &self.presence, self.node).await?;
        let mut known = known.ok_or(Refusal::NotRegistered)?;
        known.activate(self.until, self.now);
        nodes::update(tx, &known).await?;
        let freed = unit.unclaim(self.node).await?;
        let wake = vec![Topic::Node(self.node)];
        Ok((known, Changed { freed, wake }))
    }
}

/// Ends the session of the node. `None`: it is not known.
pub(super) async fn deactivate(
    tx: &Tx<'_>,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<Option<KnownNode>> {
    let Some(mut known) = known(tx, presence, node).await? else {
        return Ok((None, Changed::default()));
    };
    known.deactivate(now);
    nodes::update(tx, &known).await?;
    Ok((Some(known), Changed::wake([Topic::Node(node)])))
}

/// Ends the life of the node. Whether it is known.
pub(super) async fn unregister(
    tx: &Tx<'_>,
    presence: &Presence,
    node: NodeId,
    now: Timestamp,
) -> Written<bool> {
    let Some(mut known) = known(tx, presence, node).await? else {
        return Ok((false, Changed::default()));
    };
    known.unregister(now);
    nodes::update(tx, &known).await?;
    let sql = "UPDATE node SET unconfirmed_run = NULL, unconfirmed = NULL WHERE id = $1";
    tx.execute(sql, &[&signed(node)]).await?;
    Ok((true, Changed::wake([Topic::Node(node)])))
}

/// Forgets a node that was not there since `moment`, unless an instruction for it is there. Whether
/// it is forgotten.
pub(super) async fn forget(
    tx: &Tx<'_>,
    presence: &Presence,
    node: NodeId,
    moment: Timestamp,
) -> StateResult<bool> {
    let known = match known(tx, presence, node).await? {
        Some(known) => Some(known),
        None => nodes::get(tx, node).await?,
    };
    if known.is_none_or(|known| known.last_seen() >= moment) {
        return Ok(false);
    }
    let sql = "DELETE FROM node WHERE id = $1
               AND NOT EXISTS (SELECT 1 FROM instruction WHERE dst = $1)";
    Ok(tx.execute(sql, &[&signed(node)]).await? > 0)
}
