//! What SuperNodes of flwr 1.15 to 1.18 say otherwise.

use std::sync::Arc;

use flwr_core::id::NodeId;
use flwr_core::message::Message;
use flwr_core::object::ObjectId;
use flwr_proto as proto;
use flwr_proto::older::inline as wire;
use tonic::{Request, Status};

use super::records;
use crate::api::{RECONNECT, patience, push_response, run_to_completion};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::link::Link;
use crate::older::message;

type Answer<T> = std::result::Result<T, Status>;

/// `Ping`: a sign of life.
pub(in crate::older) async fn ping(
    link: Arc<Link>,
    request: Request<wire::PingRequest>,
) -> Answer<wire::PingResponse> {
    let node = Caller::of(&request)?.node(request.get_ref().node)?;
    link.hear_inline(node).await?;
    let interval = request.get_ref().ping_interval;
    let success = link.node_lives(node, interval).await?;
    Ok(wire::PingResponse { success })
}

/// `PullMessages`: the next message, with its content.
pub(in crate::older) async fn pull(
    link: Arc<Link>,
    request: Request<proto::PullMessagesRequest>,
) -> Answer<wire::PullMessagesResponse> {
    let node = Caller::of(&request)?.node(request.get_ref().node)?;
    let mut messages_list = Vec::new();
    if let Some(parcel) = link.claim(node, patience::of(&request)).await? {
        let make = |whole| Ok(records::message(whole));
        messages_list.extend(message::handed_out(&link, node, parcel, make).await?);
    }
    Ok(wire::PullMessagesResponse {
        reconnect: Some(RECONNECT),
        messages_list,
    })
}

/// `PushMessages`: a reply, with its content.
pub(in crate::older) async fn push(
    link: Arc<Link>,
    request: Request<wire::PushMessagesRequest>,
) -> Answer<proto::PushMessagesResponse> {
    let node = Caller::of(&request)?.node(request.get_ref().node)?;
    let message = request.into_inner().messages_list.into_iter().next();
    let message = message.ok_or_else(|| Error::Field {
        field: "messages_list",
        problem: "is empty: one reply is expected".to_owned(),
    })?;
    let taken = run_to_completion(async move { taken(&link, node, message).await });
    Ok(push_response(taken.await?, &[]))
}

/// Takes a reply apart, and delivers it. `None`: nobody wants it.
async fn taken(link: &Link, node: NodeId, reply: wire::Message) -> Result<Option<ObjectId>> {
    let now = link.now();
    let read = |message| Message::reply(message, now).map_err(Error::Malformed);
    let content = reply.content.map(records::from_inline);
    let reply = message::split(reply.metadata, content, reply.error, read).await?;
    message::deliver(link, node, reply).await
}
