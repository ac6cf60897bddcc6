//! What ServerApps say to the SuperLink, and what admits each call.

use std::collections::BTreeMap;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::message::Message;
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::run::KnownRun;
use flwr_proto as proto;

use super::apps::{self, of_run};
use super::tokenless::token_or;
use crate::apps::pull_messages as pull;
use crate::carrier::Answer;
use crate::host::{AppProof, Head, RuntimeHost};
use crate::methods::Request;
use crate::methods::runtime::{admit, read};
use crate::objects;

/// A call without a field for the token, which names its run.
fn named(run: u64) -> AppProof {
    AppProof::Named(RunId(run))
}

pub(super) async fn push_app_outputs(
    runtime: impl Runtime,
    request: Request<proto::PushAppOutputsRequest>,
) -> Result<proto::PushAppOutputsResponse> {
    of_run(&runtime, request.message.run_id)?;
    apps::push_app_outputs(runtime, request).await
}

pub(super) fn by_push(request: &proto::PushAppMessagesRequest) -> AppProof {
    token_or(&request.token, named(request.run_id))
}

pub(super) async fn push_messages(
    runtime: impl Runtime,
    request: Request<proto::PushAppMessagesRequest>,
) -> Result<proto::PushAppMessagesResponse> {
    of_run(&runtime, request.message.run_id)?;
    apps::push_messages(runtime, request, Message::instruction).await
}

pub(super) fn by_pull(request: &proto::PullAppMessagesRequest) -> AppProof {
    token_or(&request.token, named(request.run_id))
}

pub(super) async fn pull_messages(
    runtime: impl Runtime,
    request: Request<proto::PullAppMessagesRequest>,
) -> Result<proto::PullAppMessagesResponse> {
    of_run(&runtime, request.message.run_id)?;
    let asked = Asked::Replies(objects::ids_of_sent(&request.message.message_ids)?);
    pull(runtime, asked, request.patience).await
}

pub(super) fn by_get_nodes(request: &proto::GetNodesRequest) -> AppProof {
    named(request.run_id)
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
    let fab = Some(objects::fab(hash_str, content));
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

/// Where several runs stand. A run for which the caller does not speak is as one that is not known.
pub(super) async fn get_run_status<H: RuntimeHost>(
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let token = request.token.clone();
    let request: proto::GetRunStatusRequest = read(request)?;
    let mut run_status_dict = BTreeMap::new();
    for id in request.run_ids {
        let run = match admit(&host, &head, named(id), token.as_ref()).await {
            Ok(runtime) => runtime.run().await?,
            Err(Failure::Refused(Refusal::UnknownToken)) => None,
            Err(failure) => return Err(failure),
        };
        if let Some(status) = run.and_then(KnownRun::into_status) {
            run_status_dict.insert(id, status.into());
        }
    }
    Ok(Answer::new(proto::GetRunStatusResponse { run_status_dict }))
}
