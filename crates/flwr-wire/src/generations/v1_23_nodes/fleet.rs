//! How SuperNodes of flwr 1.23 to 1.39 come and go.

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::port::{NodeLife, Result};
use flwr_core::refusal::{Failure, Refusal};
use flwr_proto as proto;
use flwr_security::key::PublicKey;

use crate::methods::Request;

/// The key is not let in, and only people register keys here.
pub(super) fn registered_by_people(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::UnknownKey => Refusal::RegisteredByPeople,
        refusal => refusal,
    }
}

/// The key is not let in: no node was registered with it.
pub(super) fn no_node(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::UnknownKey => Refusal::NoNodeOfKey { by_people: true },
        refusal => refusal,
    }
}

pub(super) async fn register_node(
    fleet: impl NodeLife,
    request: Request<proto::RegisterNodeFleetRequest>,
) -> Result<proto::RegisterNodeFleetResponse> {
    require_own_key(&fleet, &request.message.public_key)?;
    let node = fleet.register().await.map_err(said(registered_by_people))?;
    Ok(proto::RegisterNodeFleetResponse { node_id: node.0 })
}

pub(super) async fn activate_node(
    fleet: impl NodeLife,
    request: Request<proto::ActivateNodeRequest>,
) -> Result<(proto::ActivateNodeResponse, NodeId)> {
    let proto::ActivateNodeRequest {
        public_key,
        heartbeat_interval,
    } = request.message;
    require_own_key(&fleet, &public_key)?;
    let activated = fleet.activate(heartbeat_interval).await;
    let node = activated.map_err(said(no_node))?;
    Ok((proto::ActivateNodeResponse { node_id: node.0 }, node))
}

pub(super) async fn deactivate_node(
    fleet: impl NodeLife,
    request: Request<proto::DeactivateNodeRequest>,
) -> Result<proto::DeactivateNodeResponse> {
    require_own_node(&fleet, request.message.node_id)?;
    fleet.deactivate().await?;
    Ok(proto::DeactivateNodeResponse {})
}

pub(super) async fn unregister_node(
    fleet: impl NodeLife,
    request: Request<proto::UnregisterNodeFleetRequest>,
) -> Result<proto::UnregisterNodeFleetResponse> {
    require_own_node(&fleet, request.message.node_id)?;
    fleet.unregister().await?;
    Ok(proto::UnregisterNodeFleetResponse {})
}

/// The same words for a call that got as far as the session.
fn said(words: fn(Refusal) -> Refusal) -> impl Fn(Failure) -> Failure {
    move |failure| match failure {
        Failure::Refused(refusal) => words(refusal).into(),
        failure => failure,
    }
}

/// The key in the body must be the one that signed the request.
fn require_own_key(fleet: &impl NodeLife, pem: &Bytes) -> Result<()> {
    let claimed = PublicKey::from_pem(pem).map_err(|_| Refusal::MalformedKey)?;
    match fleet.key() {
        Some(key) if key[..] == claimed.to_spki()[..] => Ok(()),
        _ => Err(Refusal::InvalidSignature.into()),
    }
}

/// The node in the body must be the one that signed the request.
fn require_own_node(fleet: &impl NodeLife, claimed: u64) -> Result<()> {
    let claimed = NodeId(claimed);
    match fleet.node() {
        Some(node) if node == claimed => Ok(()),
        caller => Err(Refusal::OtherNode { caller, claimed }.into()),
    }
}
