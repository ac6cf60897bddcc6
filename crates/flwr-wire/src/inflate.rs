//! Messages in one piece, as releases before flwr 1.20 have them, from messages with objects and
//! back.

use std::collections::HashMap;

use bytes::Bytes;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{ErrorCode, Message, MessageId, Metadata, Parcel};
use flwr_core::object::{ObjectId, Pulled};
use flwr_core::port::runtime::Sent;
use flwr_core::port::{Fleet, Result, Runtime};
use flwr_core::record::{self, InflateError};
use flwr_core::refusal::{Failure, Refusal};
use flwr_core::time::Timestamp;
use flwr_proto as proto;
use tokio::task::{JoinError, spawn_blocking};
use tracing::error;

/// A message with its content.
#[derive(Debug)]
pub(crate) struct Inflated {
    /// The message.
    pub(crate) message: Message,
    /// None where it carries an error.
    pub(crate) content: Option<proto::RecordDict>,
}

/// A message with all its objects.
#[derive(Debug)]
pub(crate) struct Deflated {
    /// The message and the tree of its objects.
    pub(crate) parcel: Parcel,
    /// The objects' bytes.
    pub(crate) objects: HashMap<ObjectId, Bytes>,
}

/// Puts a message together and makes of it what its receiver knows, or says why that cannot be.
/// `pull` gives the bytes of an object of the message's run.
///
/// # Errors
/// If `pull` fails.
pub(crate) async fn inflate<T, P>(
    parcel: Parcel,
    pull: impl Fn(RunId, ObjectId) -> P,
    make: impl FnOnce(Inflated) -> std::result::Result<T, String>,
) -> Result<std::result::Result<T, String>>
where
    P: Future<Output = Result<Pulled>>,
{
    let Parcel { message, tree } = parcel;
    let run = message.metadata.run;
    let mut objects = HashMap::new();
    let mut left = record::MAX_INFLATED;
    for object in tree.post_order() {
        // A tree may name an object many times.
        if objects.contains_key(&object.id) {
            continue;
        }
        if let Pulled::There(bytes) = pull(run, object.id).await? {
            match left.checked_sub(bytes.len()) {
                None => return Ok(Err(InflateError::TooLarge.to_string())),
                Some(rest) => left = rest,
            }
            objects.insert(object.id, bytes);
        }
    }
    let inflate = move || match tree.children.first() {
        None => Ok(None),
        Some(content) => record::inflate(content.id, &|id| objects.get(id).cloned()).map(Some),
    };
    let content = spawn_blocking(inflate).await.map_err(stopping)?;
    Ok(content
        .map_err(|malformed: InflateError| malformed.to_string())
        .and_then(|content| make(Inflated { message, content })))
}

/// Takes a message apart that `read` finds good. The id of the message is made here, since its
/// sender left that to the SuperLink.
///
/// # Errors
/// If `read` finds a flaw.
pub(crate) async fn deflate(
    metadata: Option<proto::Metadata>,
    content: Option<proto::RecordDict>,
    error: Option<proto::Error>,
    read: impl FnOnce(proto::Message) -> std::result::Result<Message, Refusal>,
) -> Result<Deflated> {
    let message = read(proto::Message {
        metadata: metadata.map(|metadata| proto::Metadata {
            message_id: ObjectId::of(&[]).to_string(),
            ..metadata
        }),
        content: content.is_some().then(proto::RecordDict::default),
        error,
    })?;
    let deflate = move || content.map(record::deflate).transpose();
    let content = spawn_blocking(deflate).await.map_err(stopping)?;
    let content = content.map_err(Refusal::Tree)?;
    let (tree, objects) = content
        .map(|content| (content.tree, content.objects))
        .unzip();
    let (parcel, object) = message.announced(tree);
    let mut objects: HashMap<_, _> = objects.unwrap_or_default();
    objects.insert(object.id, object.bytes);
    Ok(Deflated { parcel, objects })
}

/// A blocking task ends without a result only if the runtime does.
fn stopping(_: JoinError) -> Failure {
    Failure::TryAgain("the SuperLink is shutting down".to_owned())
}

/// Stores a node's reply and all its objects. `None`: the reply is not wanted any more.
pub(crate) async fn push(fleet: &impl Fleet, reply: Deflated) -> Result<Option<MessageId>> {
    let Deflated {
        parcel,
        mut objects,
    } = reply;
    let Metadata { id, run, .. } = parcel.message.metadata;
    let Some(missing) = fleet.push(parcel, None).await? else {
        return Ok(None);
    };
    for object in missing {
        if let Some(bytes) = objects.remove(&object) {
            fleet.push_object(run, object, bytes).await?;
        }
    }
    Ok(Some(id))
}

/// Sends instructions, and stores all their objects. `None`: the node is not known.
pub(crate) async fn send(
    runtime: &impl Runtime,
    instructions: Vec<Deflated>,
) -> Result<Vec<Option<MessageId>>> {
    let mut objects = HashMap::new();
    let mut parcels = Vec::new();
    for instruction in instructions {
        parcels.push(instruction.parcel);
        objects.extend(instruction.objects);
    }
    let Sent { ids, missing } = runtime.send(parcels).await?;
    for id in missing {
        if let Some(bytes) = objects.remove(&id) {
            runtime.push_object(id, bytes).await?;
        }
    }
    Ok(ids)
}

/// An instruction as `make` makes it what its node knows. `None`: that cannot be, and the ServerApp
/// got an error reply.
pub(crate) async fn instruction<T>(
    fleet: &impl Fleet,
    node: NodeId,
    parcel: Parcel,
    now: Timestamp,
    make: impl FnOnce(Inflated) -> std::result::Result<T, String>,
) -> Result<Option<T>> {
    let instruction = parcel.message.metadata.clone();
    match inflate(parcel, |run, id| fleet.pull_object(run, id), make).await? {
        Ok(made) => Ok(Some(made)),
        Err(why) => {
            give_up(fleet, node, &instruction, now, &why).await?;
            Ok(None)
        }
    }
}

/// Tells the ServerApp that its node cannot get an instruction.
async fn give_up(
    fleet: &impl Fleet,
    node: NodeId,
    instruction: &Metadata,
    now: Timestamp,
    why: &str,
) -> Result<()> {
    let (run_id, message_id) = (instruction.run, instruction.id);
    error!(%run_id, node_id = %node, %message_id, why, "the message cannot be put together");
    let reason = format!("The message could not be put together: {why}");
    let code = ErrorCode::MessageUnavailable;
    let (message, object) = Message::error_reply(instruction, node, code, reason, now);
    let tree = message.childless_tree();
    let reply = Deflated {
        parcel: Parcel { message, tree },
        objects: HashMap::from([(object.id, object.bytes)]),
    };
    push(fleet, reply).await.map(drop)
}
