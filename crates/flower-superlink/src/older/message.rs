//! Converts messages between the two forms: with their content inline (flwr 1.8 to 1.18), and split
//! into objects.

use std::collections::HashMap;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{ErrorCode, Message, MessageId, Metadata};
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::record::{self, InflateError};
use flwr_proto as proto;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::error::{Error, Result};
use crate::link::state::{Inserted, Parcel};
use crate::link::{Link, Pulled};

/// A message with its content inline.
pub(super) struct AssembledMessage {
    pub(super) message: Message,
    /// `None` for a message that carries an error.
    pub(super) content: Option<proto::RecordDict>,
}

/// A message split into objects, with the bytes of the objects.
pub(super) struct SplitMessage {
    pub(super) parcel: Parcel,
    pub(super) objects: HashMap<ObjectId, Bytes>,
}

/// Assembles a message from its objects and converts it by `make`. Gives the reason if the content
/// is malformed or `make` refuses.
pub(super) async fn assemble<T>(
    link: &Link,
    parcel: Parcel,
    make: impl FnOnce(AssembledMessage) -> std::result::Result<T, String>,
) -> Result<std::result::Result<T, String>> {
    let Parcel { message, tree } = parcel;
    let run = message.metadata.run;
    let mut objects = HashMap::new();
    for object in tree.post_order() {
        if let Pulled::There(bytes) = link.pull_object(run, object.id).await? {
            objects.insert(object.id, bytes);
        }
    }
    let inflate = move || match tree.children.first() {
        None => Ok(None),
        Some(content) => record::inflate(content.id, &|id| objects.get(id).cloned()).map(Some),
    };
    let content = spawn_blocking(inflate).await.map_err(|_| Error::Stopping)?;
    Ok(content
        .map_err(|malformed: InflateError| malformed.to_string())
        .and_then(|content| make(AssembledMessage { message, content })))
}

/// Takes a message apart that `read` finds good. Its id is made here: whoever sent it left that to
/// the SuperLink.
pub(super) async fn split(
    metadata: Option<proto::Metadata>,
    content: Option<proto::RecordDict>,
    error: Option<proto::Error>,
    read: impl FnOnce(proto::Message) -> Result<Message>,
) -> Result<SplitMessage> {
    let mut message = read(proto::Message {
        metadata: metadata.map(|metadata| proto::Metadata {
            message_id: ObjectId::of(&[]).to_string(),
            ..metadata
        }),
        content: content.is_some().then(proto::RecordDict::default),
        error,
    })?;
    let deflate = move || content.map(record::deflate);
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
    Ok(SplitMessage {
        parcel: Parcel { message, tree },
        objects,
    })
}

/// Sends a ServerApp's instructions, and stores their objects. `None`: its node is not known.
pub(super) async fn send(
    link: &Link,
    run: RunId,
    instructions: Vec<SplitMessage>,
) -> Result<Vec<Option<MessageId>>> {
    let mut objects = HashMap::new();
    let mut parcels = Vec::new();
    for instruction in instructions {
        parcels.push(instruction.parcel);
        objects.extend(instruction.objects);
    }
    let Inserted { ids, missing, .. } = link.send(run, parcels).await?;
    push_objects(link, run, missing, objects).await?;
    Ok(ids)
}

/// Stores the objects that are missing, of those that are here.
async fn push_objects(
    link: &Link,
    run: RunId,
    missing: Vec<ObjectId>,
    mut objects: HashMap<ObjectId, Bytes>,
) -> Result<()> {
    for id in missing {
        if let Some(bytes) = objects.remove(&id) {
            link.push_object(run, id, bytes).await?;
        }
    }
    Ok(())
}

/// Stores a node's reply and all its objects. `None`: nobody wants it.
pub(super) async fn deliver(
    link: &Link,
    node: NodeId,
    reply: SplitMessage,
) -> Result<Option<ObjectId>> {
    let SplitMessage { parcel, objects } = reply;
    let Metadata { id, run, src, .. } = parcel.message.metadata;
    if src != node {
        return Err(Error::OtherNode {
            caller: Some(node),
            claimed: src,
        });
    }
    let Some(missing) = link.reply(parcel).await? else {
        return Ok(None);
    };
    push_objects(link, run, missing, objects).await?;
    Ok(Some(id))
}

/// An instruction as `make` makes it what its node knows; `None` where it makes nothing, which its
/// ServerApp is told.
pub(super) async fn handed_out<T>(
    link: &Link,
    node: NodeId,
    parcel: Parcel,
    make: impl FnOnce(AssembledMessage) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let instruction = parcel.message.metadata.clone();
    match assemble(link, parcel, make).await? {
        Ok(made) => Ok(Some(made)),
        Err(why) => {
            give_up(link, node, &instruction, &why).await?;
            Ok(None)
        }
    }
}

/// Tells the ServerApp that an instruction cannot be handed to its node.
async fn give_up(link: &Link, node: NodeId, instruction: &Metadata, why: &str) -> Result<()> {
    let (run_id, message_id) = (instruction.run, instruction.id);
    error!(%run_id, node_id = %node, %message_id, why, "the message cannot be put together");
    let reason = format!("The message could not be put together: {why}");
    let code = ErrorCode::MessageUnavailable;
    let (message, object) = Message::error_reply(instruction, node, code, reason, link.now());
    let tree = message.childless_tree();
    let reply = SplitMessage {
        parcel: Parcel { message, tree },
        objects: HashMap::from([(object.id, object.bytes)]),
    };
    deliver(link, node, reply).await.map(drop)
}
