//! The nodes of a SuperLink, and their registration (flwr 1.23 and later).

use flwr_core::id::NodeId;
use flwr_core::port::control::{NewNode, NodeInfo, Nodes};
use flwr_core::port::{Control, Result};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_security::key::{spki_from_pem, spki_to_pem};

use crate::methods::Request;

/// Seconds between two heartbeats, as SuperNodes of all releases announce them.
const HEARTBEAT_INTERVAL: f64 = 30.0;

pub(in super::super) async fn register(
    control: impl Control,
    request: Request<proto::RegisterNodeRequest>,
) -> Result<proto::RegisterNodeResponse> {
    let proto::RegisterNodeRequest {
        public_key,
        location,
        name,
    } = request.message;
    let key = spki_from_pem(&public_key);
    let no_pem = || Refusal::KeyNotValid("PEM `PUBLIC KEY` is expected".to_owned());
    let node = NewNode {
        key: key.ok_or_else(no_pem)?.into(),
        name,
        location,
    };
    let node_id = control.enroll(node).await?.map(|node| node.0);
    Ok(proto::RegisterNodeResponse { node_id })
}

pub(in super::super) async fn unregister(
    control: impl Control,
    request: Request<proto::UnregisterNodeRequest>,
) -> Result<proto::UnregisterNodeResponse> {
    control.dismiss(NodeId(request.message.node_id)).await?;
    Ok(proto::UnregisterNodeResponse {})
}

pub(in super::super) async fn list(
    control: impl Control,
    request: Request<proto::ListNodesRequest>,
) -> Result<proto::ListNodesResponse> {
    let Nodes { nodes, now } = control.nodes().await?;
    Ok(proto::ListNodesResponse {
        nodes_info: nodes.into_iter().map(node_info).collect(),
        now: now.unwrap_or(request.now).iso8601(),
    })
}

/// A node in the layout of flwr 1.24 and later. The command of 1.23 reads this layout, too, and shows
/// words in the wrong places: its request is like that of later releases.
pub(super) fn node_info(node: NodeInfo) -> proto::NodeInfo {
    proto::NodeInfo {
        node_id: node.id.0,
        owner_aid: node.owner.id,
        owner_name: node.owner.name,
        status: node.status.name().to_owned(),
        // Commands sort the nodes by this time, and end with a traceback if there is none.
        registered_at: node.registered_at.unwrap_or(Timestamp::ZERO).iso8601(),
        last_activated_at: node.activated_at.map(Timestamp::iso8601),
        last_deactivated_at: node.deactivated_at.map(Timestamp::iso8601),
        unregistered_at: node.unregistered_at.map(Timestamp::iso8601),
        online_until: node.online_until.map(Timestamp::as_secs),
        heartbeat_interval: HEARTBEAT_INTERVAL,
        public_key: spki_to_pem(&node.key).into(),
        location: node.location,
        name: node.name,
        certificate: node.certificate,
    }
}
