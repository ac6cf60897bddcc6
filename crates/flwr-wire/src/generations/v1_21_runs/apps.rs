//! What ServerApps and ClientApps of flwr 1.20 to 1.29 say alike, each to its own daemon.

use flwr_core::id::RunId;
use flwr_core::message::{Flaws, Message};
use flwr_core::port::runtime::Inputs;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use crate::host::AppProof;
use crate::methods::Request;
use crate::objects;

/// Makes sure that the session is of the run that the request names.
pub(super) fn of_run(runtime: &impl Runtime, claimed: u64) -> Result<()> {
    if runtime.run_id() == Some(RunId(claimed)) {
        return Ok(());
    }
    Err(Refusal::UnknownToken.into())
}

pub(super) async fn pull_app_inputs(
    runtime: impl Runtime,
    request: Request<proto::PullAppInputsRequest>,
) -> Result<proto::PullAppInputsResponse> {
    let Some(Inputs { run, context, fab }) = runtime.inputs().await? else {
        return Ok(proto::PullAppInputsResponse::default());
    };
    if request.token.is_some() {
        // An app of flwr 1.29, which does not say itself that it begins.
        runtime.at_work().await?;
    }
    let fab = objects::fab(run.fab_hash().to_owned(), fab);
    Ok(proto::PullAppInputsResponse {
        context: Some(context.into()),
        run: Some(run.into()),
        fab: Some(fab),
    })
}

pub(super) async fn push_app_outputs(
    runtime: impl Runtime,
    request: Request<proto::PushAppOutputsRequest>,
) -> Result<proto::PushAppOutputsResponse> {
    let context = request.message.context.map(Into::into);
    // The app may have been done before it gave its first sign of life.
    runtime.at_work().await?;
    runtime.finish(context).await?;
    Ok(proto::PushAppOutputsResponse {})
}

/// Sends the messages, which `read` reads.
pub(super) async fn push_messages(
    runtime: impl Runtime,
    request: Request<proto::PushAppMessagesRequest>,
    read: fn(proto::Message, Timestamp) -> std::result::Result<Message, Flaws>,
) -> Result<proto::PushAppMessagesResponse> {
    let Request { message, now, .. } = request;
    if message.messages_list.is_empty() {
        return Err(Refusal::field("messages_list", "is empty").into());
    }
    let read = |message| read(message, now).map_err(Refusal::Malformed);
    let parcels = objects::parcels(message.messages_list, message.message_object_trees, read)?;
    runtime.at_work().await?;
    let sent = runtime.send(parcels).await?;
    Ok(proto::PushAppMessagesResponse {
        message_ids: objects::texts_of_sent(&sent.ids),
        objects_to_push: sent.missing.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn by_push_object(request: &proto::PushObjectRequest) -> AppProof {
    AppProof::Named(RunId(request.run_id))
}

pub(super) fn by_pull_object(request: &proto::PullObjectRequest) -> AppProof {
    AppProof::Named(RunId(request.run_id))
}

pub(super) fn by_confirm(request: &proto::ConfirmMessageReceivedRequest) -> AppProof {
    AppProof::Named(RunId(request.run_id))
}
