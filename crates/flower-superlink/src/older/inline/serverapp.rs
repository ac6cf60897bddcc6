//! What ServerApp processes of flwr 1.15 to 1.18 say otherwise.

use std::sync::Arc;

use flwr_core::id::RunId;
use flwr_core::message::{Message, MessageId};
use flwr_proto as proto;
use flwr_proto::older::inline as wire;
use tonic::{Request, Status};

use super::records;
use crate::api::run_to_completion;
use crate::error::{Error, Result};
use crate::link::Link;
use crate::older::message;
use crate::older::unconfirmed::UnconfirmedReplies;

type Answer<T> = std::result::Result<T, Status>;

/// `PullServerAppInputs`: the run that a process without a token is for, if there is one.
pub(in crate::older) async fn inputs(
    link: Arc<Link>,
    _: Request<wire::PullServerAppInputsRequest>,
) -> Answer<wire::PullServerAppInputsResponse> {
    let inputs = link.expected_inputs().await?;
    let inputs: proto::PullAppInputsResponse = inputs.map(Into::into).unwrap_or_default();
    let context = |context: proto::Context| wire::Context {
        run_id: context.run_id,
        node_id: context.node_id,
        node_config: context.node_config,
        state: context.state.map(records::to_inline),
        run_config: context.run_config,
    };
    Ok(wire::PullServerAppInputsResponse {
        context: inputs.context.map(context),
        run: inputs.run,
        fab: inputs.fab,
    })
}

/// `PushServerAppOutputs`: the Context that the ServerApp leaves behind.
pub(in crate::older) async fn outputs(
    link: Arc<Link>,
    request: Request<wire::PushServerAppOutputsRequest>,
) -> Answer<wire::PushServerAppOutputsResponse> {
    let request = request.into_inner();
    let context = request.context.unwrap_or_default();
    let context = proto::Context {
        run_id: context.run_id,
        node_id: context.node_id,
        node_config: context.node_config,
        state: context.state.map(records::from_inline),
        run_config: context.run_config,
    };
    let run = RunId(request.run_id);
    run_to_completion(async move { link.keep_context(run, context).await }).await?;
    Ok(wire::PushServerAppOutputsResponse {})
}

/// `PushMessages`: instructions, with their content.
pub(in crate::older) async fn push(
    link: Arc<Link>,
    request: wire::PushInsMessagesRequest,
) -> Answer<wire::PushInsMessagesResponse> {
    let run = RunId(request.run_id);
    let messages = request.messages_list;
    let sent = run_to_completion(async move { sent(&link, run, messages).await });
    let id = |id: Option<MessageId>| id.map(|id| id.to_string()).unwrap_or_default();
    Ok(wire::PushInsMessagesResponse {
        message_ids: sent.await?.into_iter().map(id).collect(),
    })
}

async fn sent(
    link: &Link,
    run: RunId,
    messages: Vec<wire::Message>,
) -> Result<Vec<Option<MessageId>>> {
    let now = link.now();
    let mut instructions = Vec::new();
    for message in messages {
        let read = |message| Message::instruction(message, now).map_err(Error::Malformed);
        let content = message.content.map(records::from_inline);
        let apart = message::split(message.metadata, content, message.error, read);
        instructions.push(apart.await?);
    }
    message::send(link, run, instructions).await
}

/// `PullMessages`: the replies that are there, with their content.
pub(in crate::older) async fn pull(
    link: &Link,
    unconfirmed: &UnconfirmedReplies,
    request: wire::PullResMessagesRequest,
    patience: std::time::Duration,
) -> Answer<wire::PullResMessagesResponse> {
    let run = RunId(request.run_id);
    let asked: std::result::Result<Vec<MessageId>, _> =
        request.message_ids.iter().map(|id| id.parse()).collect();
    let asked = asked.map_err(Error::ObjectId)?;
    let make = |whole| Ok(records::message(whole));
    let replies = unconfirmed.replies(link, run, &asked, patience, make);
    Ok(wire::PullResMessagesResponse {
        messages_list: replies.await?,
    })
}
