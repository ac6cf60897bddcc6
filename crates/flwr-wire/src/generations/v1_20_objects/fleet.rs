//! What SuperNodes of flwr 1.20 to 1.22 say.

use flwr_core::id::RunId;
use flwr_core::message::Parcel;
use flwr_core::port::{Fleet, Result};
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use crate::methods::Request;
use crate::objects::{self, RECONNECT, named};

pub(super) async fn create_node(
    fleet: impl Fleet,
    request: Request<proto::CreateNodeRequest>,
) -> Result<proto::CreateNodeResponse> {
    let node = fleet.activate(request.message.heartbeat_interval).await?;
    let node = Some(node.into());
    Ok(proto::CreateNodeResponse { node })
}

pub(super) async fn delete_node(
    fleet: impl Fleet,
    request: Request<proto::DeleteNodeRequest>,
) -> Result<proto::DeleteNodeResponse> {
    named(&fleet, request.message.node)?;
    fleet.deactivate().await?;
    Ok(proto::DeleteNodeResponse {})
}

pub(super) async fn send_node_heartbeat(
    fleet: impl Fleet,
    request: Request<proto::SendNodeHeartbeatRequest>,
) -> Result<proto::SendNodeHeartbeatResponse> {
    named(&fleet, request.message.node)?;
    let interval = request.message.heartbeat_interval;
    let success = fleet.heartbeat(interval).await?;
    Ok(proto::SendNodeHeartbeatResponse { success })
}

pub(super) async fn pulled_messages(
    _: impl Fleet,
    parcel: Option<Parcel>,
    _: Timestamp,
) -> Result<proto::PullMessagesResponse> {
    let (messages_list, message_object_trees) = objects::parts(parcel);
    Ok(proto::PullMessagesResponse {
        reconnect: Some(RECONNECT),
        messages_list,
        message_object_trees,
    })
}

pub(super) async fn push_messages(
    fleet: impl Fleet,
    request: Request<proto::PushMessagesRequest>,
) -> Result<proto::PushMessagesResponse> {
    let message = request.message;
    named(&fleet, message.node)?;
    let reply = objects::reply(message.messages_list, message.message_object_trees)?;
    let id = reply.message.metadata.id;
    let missing = fleet.push(reply).await?;
    let taken = missing.as_ref().map(|_| id);
    Ok(objects::pushed(taken, &missing.unwrap_or_default()))
}

pub(super) async fn get_run(
    fleet: impl Fleet,
    request: Request<proto::GetRunRequest>,
) -> Result<proto::GetRunResponse> {
    named(&fleet, request.message.node)?;
    let run = fleet.run(RunId(request.message.run_id)).await?;
    let run = Some(run.into());
    Ok(proto::GetRunResponse { run })
}

pub(super) async fn get_fab(
    fleet: impl Fleet,
    request: Request<proto::GetFabRequest>,
) -> Result<proto::GetFabResponse> {
    let proto::GetFabRequest {
        node,
        hash_str,
        run_id,
    } = request.message;
    named(&fleet, node)?;
    let content = fleet.fab(Some(RunId(run_id)), &hash_str).await?;
    let fab = Some(objects::fab(hash_str, content));
    Ok(proto::GetFabResponse { fab })
}

pub(super) async fn push_object(
    fleet: impl Fleet,
    request: Request<proto::PushObjectRequest>,
) -> Result<proto::PushObjectResponse> {
    let proto::PushObjectRequest {
        node,
        run_id,
        object_id,
        object_content,
        session_id: _,
    } = request.message;
    named(&fleet, node)?;
    let (run, id) = objects::object(run_id, &object_id)?;
    let stored = fleet.push_object(run, id, object_content).await?;
    Ok(proto::PushObjectResponse { stored })
}

pub(super) async fn pull_object(
    fleet: impl Fleet,
    request: Request<proto::PullObjectRequest>,
) -> Result<proto::PullObjectResponse> {
    let message = request.message;
    named(&fleet, message.node)?;
    let (run, id) = objects::object(message.run_id, &message.object_id)?;
    Ok(objects::pulled(fleet.pull_object(run, id).await?))
}

pub(super) async fn confirm_message_received(
    fleet: impl Fleet,
    request: Request<proto::ConfirmMessageReceivedRequest>,
) -> Result<proto::ConfirmMessageReceivedResponse> {
    let request = request.message;
    named(&fleet, request.node)?;
    let (run, message) = objects::object(request.run_id, &request.message_object_id)?;
    fleet.confirm(run, message).await?;
    Ok(proto::ConfirmMessageReceivedResponse {})
}
