//! How SuperNodes of flwr 1.20 to 1.22 come and go.

use flwr_core::id::NodeId;
use flwr_core::port::{Fleet, Result};
use flwr_proto as proto;

use crate::methods::Request;
use crate::objects::named;

pub(super) async fn create_node(
    fleet: impl Fleet,
    request: Request<proto::CreateNodeRequest>,
) -> Result<(proto::CreateNodeResponse, NodeId)> {
    let id = fleet.join(request.message.heartbeat_interval).await?;
    let node = Some(id.into());
    Ok((proto::CreateNodeResponse { node }, id))
}

pub(super) async fn delete_node(
    fleet: impl Fleet,
    request: Request<proto::DeleteNodeRequest>,
) -> Result<proto::DeleteNodeResponse> {
    named(&fleet, request.message.node)?;
    fleet.leave().await?;
    Ok(proto::DeleteNodeResponse {})
}
