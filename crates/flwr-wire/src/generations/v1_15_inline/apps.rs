//! What ServerApp processes of flwr 1.15 to 1.18 say otherwise than later ones. They have no token.

use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::RunId;
use flwr_core::message::Message;
use flwr_core::port::runtime::Inputs;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_proto as proto;
use flwr_proto::v1_15 as wire;

use super::message;
use crate::carrier::Answer;
use crate::host::{AppProof, Head, ServerAppHost};
use crate::inflate;
use crate::methods::Request;
use crate::methods::runtime::read;
use crate::objects;
use crate::record_maps;
use crate::unconfirmed::Unconfirmed;

pub(super) fn without_run(_: &wire::PullServerAppInputsRequest) -> AppProof {
    AppProof::Tokenless(None)
}

pub(super) async fn pull_server_app_inputs(
    runtime: impl Runtime,
    _: Request<wire::PullServerAppInputsRequest>,
) -> Result<wire::PullServerAppInputsResponse> {
    let Some(Inputs { run, context, fab }) = runtime.inputs().await? else {
        return Ok(wire::PullServerAppInputsResponse::default());
    };
    let fab = objects::fab(run.fab_hash().to_owned(), fab);
    let context = proto::Context::from(context);
    let context = wire::Context {
        run_id: context.run_id,
        node_id: context.node_id,
        node_config: context.node_config,
        state: context.state.map(record_maps::to_maps),
        run_config: context.run_config,
    };
    Ok(wire::PullServerAppInputsResponse {
        context: Some(context),
        run: Some(run.into()),
        fab: Some(fab),
    })
}

pub(super) fn by_outputs(request: &wire::PushServerAppOutputsRequest) -> AppProof {
    AppProof::Tokenless(Some(RunId(request.run_id)))
}

pub(super) async fn push_server_app_outputs(
    runtime: impl Runtime,
    request: Request<wire::PushServerAppOutputsRequest>,
) -> Result<wire::PushServerAppOutputsResponse> {
    let context = request.message.context.unwrap_or_default();
    let context = proto::Context {
        run_id: context.run_id,
        node_id: context.node_id,
        node_config: context.node_config,
        state: context.state.map(record_maps::from_maps),
        run_config: context.run_config,
        series_id: 0,
    };
    runtime.finish(Some(context.into())).await?;
    Ok(wire::PushServerAppOutputsResponse {})
}

pub(super) fn by_push(request: &wire::PushInsMessagesRequest) -> AppProof {
    AppProof::Tokenless(Some(RunId(request.run_id)))
}

pub(super) async fn push_messages(
    runtime: impl Runtime,
    request: Request<wire::PushInsMessagesRequest>,
) -> Result<wire::PushInsMessagesResponse> {
    let Request { message, now, .. } = request;
    let mut instructions = Vec::new();
    for message in message.messages_list {
        let read = |message| Message::instruction(message, now).map_err(Refusal::Malformed);
        let content = message.content.map(record_maps::from_maps);
        let instruction = inflate::deflate(message.metadata, content, message.error, read);
        instructions.push(instruction.await?);
    }
    let sent = inflate::send(&runtime, instructions).await?;
    Ok(wire::PushInsMessagesResponse {
        message_ids: objects::texts_of_sent(&sent),
    })
}

pub(super) async fn pull_messages<H: ServerAppHost>(
    unconfirmed: Arc<Unconfirmed>,
    host: H,
    head: Head,
    request: Request<Bytes>,
) -> Result<Answer> {
    let request: wire::PullResMessagesRequest = read(request)?;
    let run = RunId(request.run_id);
    let runtime = Arc::new(host.admit(AppProof::Tokenless(Some(run)), &head).await?);
    let asked = objects::ids_of_sent(&request.message_ids)?;
    let make = |inflated| Ok(message::from_inflated(inflated));
    let replies = unconfirmed.replies(&host, &runtime, run, asked, head.patience, make);
    let messages_list = replies.await?;
    Ok(Answer::new(wire::PullResMessagesResponse { messages_list }))
}
