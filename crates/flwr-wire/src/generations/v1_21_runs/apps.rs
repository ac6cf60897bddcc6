//! What ServerApp processes of flwr 1.20 to 1.22 say, and what admits each call.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Parcel};
use flwr_core::port::runtime::{Asked, Inputs};
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_proto as proto;

use super::token;
use crate::host::AppProof;
use crate::methods::Request;
use crate::objects;

/// A call without a field for the token, which names its run.
fn named(run: u64) -> AppProof {
    AppProof::Named(RunId(run))
}

/// Makes sure that the session is of the run that the request names.
fn of_run(runtime: &impl Runtime, claimed: u64) -> Result<()> {
    if runtime.run_id() == Some(RunId(claimed)) {
        return Ok(());
    }
    Err(Refusal::UnknownToken.into())
}

/// The field of a call for objects that names the node: ServerApps are the SuperLink's.
fn of_server_app(node: Option<proto::Node>) -> Result<()> {
    match NodeId::from(node) {
        NodeId::SUPERLINK => Ok(()),
        node => Err(Refusal::UnexpectedNode(node).into()),
    }
}

pub(super) fn by_input_token(request: &proto::PullAppInputsRequest) -> AppProof {
    token(&request.token, AppProof::Tokenless(None))
}

pub(super) async fn pull_app_inputs(
    runtime: impl Runtime,
    _: Request<proto::PullAppInputsRequest>,
) -> Result<proto::PullAppInputsResponse> {
    let Some(Inputs { run, context, fab }) = runtime.inputs().await? else {
        return Ok(proto::PullAppInputsResponse::default());
    };
    let fab = proto::Fab {
        hash_str: run.fab_hash.clone(),
        content: fab,
    };
    Ok(proto::PullAppInputsResponse {
        context: Some(context.into()),
        run: Some(run.into()),
        fab: Some(fab),
    })
}

pub(super) fn by_output_token(request: &proto::PushAppOutputsRequest) -> AppProof {
    let run = Some(RunId(request.run_id));
    token(&request.token, AppProof::Tokenless(run))
}

pub(super) async fn push_app_outputs(
    runtime: impl Runtime,
    request: Request<proto::PushAppOutputsRequest>,
) -> Result<proto::PushAppOutputsResponse> {
    let request = request.message;
    of_run(&runtime, request.run_id)?;
    runtime
        .finish(request.context.unwrap_or_default().into())
        .await?;
    Ok(proto::PushAppOutputsResponse {})
}

pub(super) fn by_push(request: &proto::PushAppMessagesRequest) -> AppProof {
    token(&request.token, named(request.run_id))
}

pub(super) async fn push_messages(
    runtime: impl Runtime,
    request: Request<proto::PushAppMessagesRequest>,
) -> Result<proto::PushAppMessagesResponse> {
    let Request { message, now, .. } = request;
    of_run(&runtime, message.run_id)?;
    if message.messages_list.is_empty() {
        return Err(Refusal::field("messages_list", "is empty").into());
    }
    let read = |message| Message::instruction(message, now).map_err(Refusal::Malformed);
    let parcels = objects::parcels(message.messages_list, message.message_object_trees, read)?;
    let sent = runtime.send(parcels).await?;
    let id = |id: Option<MessageId>| id.map(|id| id.to_string()).unwrap_or_default();
    Ok(proto::PushAppMessagesResponse {
        message_ids: sent.ids.into_iter().map(id).collect(),
        objects_to_push: sent.missing.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn by_pull(request: &proto::PullAppMessagesRequest) -> AppProof {
    token(&request.token, named(request.run_id))
}

pub(super) async fn pull_messages(
    runtime: impl Runtime,
    request: Request<proto::PullAppMessagesRequest>,
) -> Result<proto::PullAppMessagesResponse> {
    let Request {
        message, patience, ..
    } = request;
    of_run(&runtime, message.run_id)?;
    let ids = objects::ids(&message.message_ids)?;
    let parcels = runtime.receive(Asked::Replies(ids), patience).await?;
    let parcels = parcels.into_iter();
    let (messages_list, message_object_trees) = parcels
        .map(|Parcel { message, tree }| (message.into(), tree.into()))
        .unzip();
    Ok(proto::PullAppMessagesResponse {
        messages_list,
        message_object_trees,
    })
}

pub(super) fn by_get_nodes(request: &proto::GetNodesRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn get_nodes(
    runtime: impl Runtime,
    _: Request<proto::GetNodesRequest>,
) -> Result<proto::GetNodesResponse> {
    let nodes = runtime.nodes().await?.into_iter().map(Into::into).collect();
    Ok(proto::GetNodesResponse { nodes })
}

pub(super) fn by_get_run(request: &proto::GetRunRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn get_run(
    runtime: impl Runtime,
    _: Request<proto::GetRunRequest>,
) -> Result<proto::GetRunResponse> {
    let run = runtime.run().await?.map(Into::into);
    Ok(proto::GetRunResponse { run })
}

pub(super) fn by_get_fab(request: &proto::GetFabRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn get_fab(
    runtime: impl Runtime,
    request: Request<proto::GetFabRequest>,
) -> Result<proto::GetFabResponse> {
    let hash_str = request.message.hash_str;
    let content = runtime.fab(&hash_str).await?;
    let fab = Some(proto::Fab { hash_str, content });
    Ok(proto::GetFabResponse { fab })
}

pub(super) fn by_status(request: &proto::UpdateRunStatusRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn update_run_status(
    runtime: impl Runtime,
    request: Request<proto::UpdateRunStatusRequest>,
) -> Result<proto::UpdateRunStatusResponse> {
    let status = request.message.run_status.unwrap_or_default();
    let status = status.try_into().map_err(Refusal::Status)?;
    runtime.status(status).await?;
    Ok(proto::UpdateRunStatusResponse {})
}

pub(super) fn by_logs(request: &proto::PushLogsRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn push_logs(
    runtime: impl Runtime,
    request: Request<proto::PushLogsRequest>,
) -> Result<proto::PushLogsResponse> {
    runtime.log(request.message.logs.concat()).await?;
    Ok(proto::PushLogsResponse {})
}

pub(super) fn by_heartbeat(request: &proto::SendAppHeartbeatRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn send_app_heartbeat(
    runtime: impl Runtime,
    request: Request<proto::SendAppHeartbeatRequest>,
) -> Result<proto::SendAppHeartbeatResponse> {
    let interval = request.message.heartbeat_interval;
    let success = runtime.alive(interval).await?;
    Ok(proto::SendAppHeartbeatResponse { success })
}

pub(super) fn by_push_object(request: &proto::PushObjectRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn push_object(
    runtime: impl Runtime,
    request: Request<proto::PushObjectRequest>,
) -> Result<proto::PushObjectResponse> {
    let request = request.message;
    of_server_app(request.node)?;
    let (_, id) = objects::object(request.run_id, &request.object_id)?;
    let stored = runtime.push_object(id, request.object_content).await?;
    Ok(proto::PushObjectResponse { stored })
}

pub(super) fn by_pull_object(request: &proto::PullObjectRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn pull_object(
    runtime: impl Runtime,
    request: Request<proto::PullObjectRequest>,
) -> Result<proto::PullObjectResponse> {
    let request = request.message;
    of_server_app(request.node)?;
    let (_, id) = objects::object(request.run_id, &request.object_id)?;
    Ok(objects::pulled(runtime.pull_object(id).await?))
}

pub(super) fn by_confirm(request: &proto::ConfirmMessageReceivedRequest) -> AppProof {
    named(request.run_id)
}

pub(super) async fn confirm_message_received(
    runtime: impl Runtime,
    request: Request<proto::ConfirmMessageReceivedRequest>,
) -> Result<proto::ConfirmMessageReceivedResponse> {
    let request = request.message;
    of_server_app(request.node)?;
    let (_, message) = objects::object(request.run_id, &request.message_object_id)?;
    runtime.confirm(message).await?;
    Ok(proto::ConfirmMessageReceivedResponse {})
}
