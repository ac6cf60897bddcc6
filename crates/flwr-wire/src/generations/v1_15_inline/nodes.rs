//! What SuperNodes of flwr 1.15 to 1.18 say otherwise than later ones.

use flwr_core::message::{Message, Parcel};
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use flwr_proto::shared::{PingRequest, PingResponse};
use flwr_proto::v1_15 as wire;

use super::message;
use crate::inflate::{self, Deflated};
use crate::methods::Request;
use crate::objects::{self, RECONNECT, named};
use crate::record_maps;

pub(super) async fn ping(fleet: impl Fleet, request: Request<PingRequest>) -> Result<PingResponse> {
    named(&fleet, request.message.node)?;
    let success = fleet.heartbeat(request.message.ping_interval).await?;
    Ok(PingResponse { success })
}

pub(super) async fn pulled_messages(
    fleet: impl Fleet,
    parcel: Option<Parcel>,
    now: Timestamp,
) -> Result<wire::PullMessagesResponse> {
    let mut messages_list = Vec::new();
    if let (Some(parcel), Some(node)) = (parcel, fleet.node()) {
        let make = |inflated| Ok(message::from_inflated(inflated));
        let message = inflate::instruction(&fleet, node, parcel, now, make);
        messages_list.extend(message.await?);
    }
    Ok(wire::PullMessagesResponse {
        reconnect: Some(RECONNECT),
        messages_list,
    })
}

pub(super) async fn push_messages(
    fleet: impl Fleet,
    request: Request<wire::PushMessagesRequest>,
) -> Result<proto::PushMessagesResponse> {
    let message = request.message;
    named(&fleet, message.node)?;
    let mut messages = message.messages_list.into_iter();
    let message = messages
        .next()
        .ok_or_else(|| objects::no_reply("messages_list"))?;
    let reply = reply(message).await?;
    let taken = inflate::push(&fleet, reply).await?;
    Ok(objects::pushed(taken, &[]))
}

async fn reply(message: wire::Message) -> Result<Deflated> {
    let read = |message| Message::reply(message).map_err(Refusal::Malformed);
    let content = message.content.map(record_maps::from_maps);
    inflate::deflate(message.metadata, content, message.error, read).await
}
