//! flwr 1.15 to 1.18: messages with their content in them. What such a node pushes is made objects
//! of, and what it pulls is put together from them: a ServerApp of today and it understand each
//! other.

mod records;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use flwr_core::id::NodeId;
use flwr_core::message::{ErrorCode, Message};
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::record::{self, InflateError};
use flwr_proto as proto;
use flwr_proto::older::inline as wire;
use http::{Request, Response};
use tokio::task::spawn_blocking;
use tonic::Status;
use tonic::body::Body;
use tracing::error;

use super::unary;
use crate::api::{RECONNECT, patience, to_the_end};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::link::state::Parcel;
use crate::link::{Link, Pulled};

type Answer<T> = std::result::Result<T, Status>;

/// `Ping`: a sign of life.
pub(super) async fn ping(link: Arc<Link>, request: Request<Body>) -> Response<Body> {
    unary::serve(
        request,
        move |request: tonic::Request<wire::PingRequest>| {
            let link = Arc::clone(&link);
            async move {
                let node = Caller::of(&request)?.node(request.get_ref().node)?;
                link.hear_inline(node).await?;
                let interval = request.get_ref().ping_interval;
                let success = link.node_lives(node, interval).await?;
                Ok(wire::PingResponse { success })
            }
        },
    )
    .await
}

/// `PullMessages`: the next message, with its content.
pub(super) async fn pull(link: Arc<Link>, request: Request<Body>) -> Response<Body> {
    unary::serve(
        request,
        move |request: tonic::Request<proto::PullMessagesRequest>| {
            let link = Arc::clone(&link);
            async move { pulled(&link, &request).await }
        },
    )
    .await
}

async fn pulled(
    link: &Link,
    request: &tonic::Request<proto::PullMessagesRequest>,
) -> Answer<wire::PullMessagesResponse> {
    let node = Caller::of(request)?.node(request.get_ref().node)?;
    let mut messages_list = Vec::new();
    if let Some(parcel) = link.claim(node, patience::of(request)).await? {
        messages_list.extend(whole(link, node, parcel).await?);
    }
    Ok(wire::PullMessagesResponse {
        reconnect: Some(RECONNECT),
        messages_list,
    })
}

/// The message in one piece; `None` where its objects make none, which its ServerApp is told.
async fn whole(link: &Link, node: NodeId, parcel: Parcel) -> Result<Option<wire::Message>> {
    let Parcel { message, tree } = parcel;
    let run = message.metadata.run;
    let mut objects = HashMap::new();
    for object in tree.post_order() {
        if let Pulled::There(bytes) = link.pull_object(run, object.id).await? {
            objects.insert(object.id, bytes);
        }
    }
    match inflated(tree, objects).await? {
        Ok(content) => {
            let wire: proto::Message = message.into();
            Ok(Some(wire::Message {
                metadata: wire.metadata,
                content,
                error: wire.error,
            }))
        }
        Err(malformed) => {
            error!(run_id = %run, node_id = %node, message_id = %message.metadata.id, %malformed, "the message cannot be put together");
            let reason = format!("The message could not be put together: {malformed}");
            let code = ErrorCode::MessageUnavailable;
            let (reply, object) =
                Message::error_reply(&message.metadata, node, code, reason, link.now());
            let tree = reply.childless_tree();
            let objects = HashMap::from([(object.id, object.bytes)]);
            deliver(
                link,
                Parcel {
                    message: reply,
                    tree,
                },
                objects,
            )
            .await?;
            Ok(None)
        }
    }
}

type Inflated = std::result::Result<Option<wire::RecordDict>, InflateError>;

async fn inflated(tree: ObjectTree, objects: HashMap<ObjectId, Bytes>) -> Result<Inflated> {
    let inflate = move || match tree.children.first() {
        None => Ok(None),
        Some(content) => record::inflate(content.id, &|id| objects.get(id).cloned())
            .map(|content| Some(records::to_inline(content))),
    };
    spawn_blocking(inflate).await.map_err(|_| Error::Stopping)
}

/// `PushMessages`: a reply, with its content.
pub(super) async fn push(link: Arc<Link>, request: Request<Body>) -> Response<Body> {
    unary::serve(
        request,
        move |request: tonic::Request<wire::PushMessagesRequest>| {
            let link = Arc::clone(&link);
            async move {
                let node = Caller::of(&request)?.node(request.get_ref().node)?;
                let message = request.into_inner().messages_list.into_iter().next();
                let message = message.ok_or_else(|| Error::Field {
                    field: "messages_list",
                    problem: "is empty: one reply is expected".to_owned(),
                })?;
                let pushed = to_the_end(async move { pushed(&link, node, message).await });
                let name = pushed
                    .await?
                    .map_or_else(|| "None".to_owned(), |id| id.to_string());
                Ok(proto::PushMessagesResponse {
                    reconnect: Some(RECONNECT),
                    results: [(name, 0)].into(),
                    objects_to_push: Vec::new(),
                })
            }
        },
    )
    .await
}

/// Takes a reply apart, and delivers it. `None`: nobody wants it.
async fn pushed(link: &Link, node: NodeId, message: wire::Message) -> Result<Option<ObjectId>> {
    let now = link.now();
    let content = message.content;
    let wire = proto::Message {
        metadata: message.metadata.map(|metadata| proto::Metadata {
            // Such nodes leave it to the SuperLink; the true one is known below.
            message_id: ObjectId::of(&[]).to_string(),
            ..metadata
        }),
        content: content.is_some().then(proto::RecordDict::default),
        error: message.error,
    };
    let mut message = Message::reply(wire, now).map_err(Error::Malformed)?;
    let claimed = message.metadata.src;
    if claimed != node {
        return Err(Error::OtherNode {
            caller: Some(node),
            claimed,
        });
    }
    let deflate = move || content.map(|content| record::deflate(records::from_inline(content)));
    let content = spawn_blocking(deflate).await.map_err(|_| Error::Stopping)?;
    let object = message.object(content.as_ref().map(|content| content.tree.id));
    message.metadata.id = object.id;
    let (children, mut objects) = match content {
        None => (Vec::new(), HashMap::new()),
        Some(content) => (vec![content.tree], content.objects),
    };
    let tree = ObjectTree {
        id: object.id,
        children,
    };
    objects.insert(object.id, object.bytes);
    let known = deliver(link, Parcel { message, tree }, objects).await?;
    Ok(known.then_some(object.id))
}

/// Stores a reply and all its objects. False: nobody wants it.
async fn deliver(
    link: &Link,
    reply: Parcel,
    mut objects: HashMap<ObjectId, Bytes>,
) -> Result<bool> {
    let run = reply.message.metadata.run;
    let Some(missing) = link.reply(reply).await? else {
        return Ok(false);
    };
    for id in missing {
        if let Some(bytes) = objects.remove(&id) {
            link.push_object(run, id, bytes).await?;
        }
    }
    Ok(true)
}
