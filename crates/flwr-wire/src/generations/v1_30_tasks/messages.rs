//! Messages of apps, with the trees of their objects. The token says of which run the caller is.

use flwr_core::message::{Flaws, Message};
use flwr_core::port::runtime::Asked;
use flwr_core::port::{Result, Runtime};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_proto::v1_30;

use crate::apps::pull_messages;
use crate::methods::Request;
use crate::objects;

type Pushed = Result<v1_30::PushAppMessagesResponse>;
type Pulled = Result<proto::PullAppMessagesResponse>;

pub(super) async fn push_instructions(
    runtime: impl Runtime,
    request: Request<v1_30::PushAppMessagesRequest>,
) -> Pushed {
    push(runtime, request, Message::instruction).await
}

pub(super) async fn push_reply(
    runtime: impl Runtime,
    request: Request<v1_30::PushAppMessagesRequest>,
) -> Pushed {
    push(runtime, request, |message, _| Message::reply(message)).await
}

/// Sends the messages, which `read` reads. Peers take an answer without a session, and name none
/// then when they push the objects.
async fn push(
    runtime: impl Runtime,
    request: Request<v1_30::PushAppMessagesRequest>,
    read: fn(proto::Message, Timestamp) -> std::result::Result<Message, Flaws>,
) -> Pushed {
    let Request { message, now, .. } = request;
    if message.messages_list.is_empty() {
        return Ok(v1_30::PushAppMessagesResponse::default());
    }
    let read = |message| read(message, now).map_err(Refusal::Malformed);
    let parcels = objects::parcels(message.messages_list, message.message_object_trees, read)?;
    let sent = runtime.send(parcels).await?;
    Ok(v1_30::PushAppMessagesResponse {
        message_ids: objects::texts_of_sent(&sent.ids),
        objects_to_push: sent.missing.iter().map(ToString::to_string).collect(),
        session_id: String::new(),
    })
}

pub(super) async fn pull_replies(
    runtime: impl Runtime,
    request: Request<v1_30::PullAppMessagesRequest>,
) -> Pulled {
    let asked = Asked::Replies(objects::ids_of_sent(&request.message.message_ids)?);
    pull_messages(runtime, asked, request.patience).await
}

pub(super) async fn pull_instruction(
    runtime: impl Runtime,
    request: Request<v1_30::PullAppMessagesRequest>,
) -> Pulled {
    pull_messages(runtime, Asked::All, request.patience).await
}
