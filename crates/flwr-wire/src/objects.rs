//! What every generation since flwr 1.20 says alike: nodes, messages with their object trees,
//! objects and runs.

use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use flwr_core::config;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Parcel};
use flwr_core::object::{ObjectId, ObjectTree, Pulled};
use flwr_core::port::{Fleet, Result};
use flwr_core::refusal::{Failure, Refusal, Silence, Unanswered};
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use crate::carrier::decode;

mod call;
mod caller;
mod fleet;
mod rpcs;
mod uploads;

pub(crate) use call::{ObjectRpcs, RunObjects};
pub(crate) use caller::{Entrance, NodeCaller};
pub(crate) use fleet::fleet;

/// Seconds until a node should come back: flwr 1.22's SuperLink fills it, and nobody reads it.
pub(crate) const RECONNECT: proto::Reconnect = proto::Reconnect { reconnect: 5 };

/// The session's node, which must be the one that the request names.
pub(crate) fn named(fleet: &impl Fleet, claimed: Option<proto::Node>) -> Result<NodeId> {
    let claimed = NodeId::from(claimed);
    match fleet.node() {
        Some(node) if node == claimed => Ok(node),
        caller => Err(Refusal::OtherNode { caller, claimed }.into()),
    }
}

/// Reads a PullMessages, which has the same layout since flwr 1.15.
pub(crate) fn check_pull(fleet: &impl Fleet, body: Bytes) -> Result<()> {
    let request: proto::PullMessagesRequest = decode(body)?;
    named(fleet, request.node).map(drop)
}

/// A node's only reply of a request.
pub(crate) fn reply(
    mut messages: Vec<proto::Message>,
    trees: Vec<proto::ObjectTree>,
) -> Result<Parcel> {
    // Later releases may send several; these send one, and know nothing else.
    messages.truncate(1);
    let read = |message| Message::reply(message).map_err(Refusal::Malformed);
    let mut parcels = parcels(messages, trees, read)?;
    parcels.pop().ok_or_else(|| no_reply("messages_list"))
}

/// The only message that an answer has for a node.
pub(crate) fn instruction(
    mut messages: Vec<proto::Message>,
    trees: Vec<proto::ObjectTree>,
    now: Timestamp,
) -> Result<Option<Parcel>> {
    messages.truncate(1);
    let read = |message| Message::instruction(message, now).map_err(Refusal::Malformed);
    Ok(parcels(messages, trees, read)?.pop())
}

/// A push without a reply in the field that holds it.
pub(crate) fn no_reply(field: &'static str) -> Failure {
    Refusal::field(field, "is empty: one reply is expected").into()
}

/// The names of objects or messages in a request.
pub(crate) fn ids(texts: &[String]) -> Result<Vec<ObjectId>> {
    let ids: std::result::Result<_, _> = texts.iter().map(|id| id.parse()).collect();
    Ok(ids.map_err(Refusal::ObjectId)?)
}

/// The names of messages that a ServerApp sent, as the answer to its push gave them: empty where
/// the message was not sent (flwr 1.15 to 1.22 wire).
pub(crate) fn ids_of_sent(texts: &[String]) -> Result<Vec<Option<MessageId>>> {
    let id = |text: &String| match text.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some),
    };
    let ids: std::result::Result<_, _> = texts.iter().map(id).collect();
    Ok(ids.map_err(Refusal::ObjectId)?)
}

/// What [`ids_of_sent`] reads.
pub(crate) fn texts_of_sent(ids: &[Option<MessageId>]) -> Vec<String> {
    let text = |id: &Option<MessageId>| id.map(|id| id.to_string()).unwrap_or_default();
    ids.iter().map(text).collect()
}

/// Each message with the tree that has its id at the root, read by `read`.
pub(crate) fn parcels(
    messages: Vec<proto::Message>,
    trees: Vec<proto::ObjectTree>,
    read: impl Fn(proto::Message) -> std::result::Result<Message, Refusal>,
) -> Result<Vec<Parcel>> {
    let trees = trees
        .into_iter()
        .map(|tree| ObjectTree::try_from(tree).map(Some));
    let trees = trees.collect::<std::result::Result<Vec<_>, _>>();
    let mut trees = trees.map_err(Refusal::Tree)?;
    let parcel = |(at, message)| {
        let message = read(message)?;
        let id = message.metadata.id;
        // Peers send them in the same order; it is looked for only if they do not.
        let own = |tree: &Option<ObjectTree>| tree.as_ref().is_some_and(|tree| tree.id == id);
        let at = if trees.get(at).is_some_and(own) {
            Some(at)
        } else {
            trees.iter().position(own)
        };
        let tree = at
            .and_then(|at| trees[at].take())
            .ok_or(Refusal::NoTree(id))?;
        Ok(Parcel { message, tree })
    };
    messages.into_iter().enumerate().map(parcel).collect()
}

/// Messages and their trees, as requests and answers have them.
pub(crate) fn parts(
    parcels: impl IntoIterator<Item = Parcel>,
) -> (Vec<proto::Message>, Vec<proto::ObjectTree>) {
    let parcels = parcels.into_iter();
    parcels
        .map(|Parcel { message, tree }| (message.into(), tree.into()))
        .unzip()
}

/// The answer to a reply that was taken, of which some objects are missing, or to one that was not
/// (`None`).
pub(crate) fn pushed(
    reply: Option<MessageId>,
    missing: &[ObjectId],
) -> proto::PushMessagesResponse {
    // The word for a refused reply, as flwr 1.22 has it.
    let name = reply.map_or_else(|| "None".to_owned(), |id| id.to_string());
    proto::PushMessagesResponse {
        reconnect: Some(RECONNECT),
        results: [(name, 0)].into(),
        objects_to_push: missing.iter().map(ToString::to_string).collect(),
        session_id: String::new(),
    }
}

/// An object's name in a request.
pub(crate) fn object(run: u64, id: &str) -> Result<(RunId, ObjectId)> {
    let id = id.parse().map_err(Refusal::ObjectId)?;
    Ok((RunId(run), id))
}

/// A bundle, with its SHA-256 in hexadecimal.
pub(crate) fn fab(hash_str: String, content: Bytes) -> proto::Fab {
    proto::Fab {
        hash_str,
        content,
        verifications: BTreeMap::new(),
    }
}

/// An object as its receiver gets it.
pub(crate) fn pulled(pulled: Pulled) -> proto::PullObjectResponse {
    match pulled {
        Pulled::Unknown => proto::PullObjectResponse::default(),
        Pulled::Awaited => proto::PullObjectResponse {
            object_found: true,
            ..proto::PullObjectResponse::default()
        },
        Pulled::There(object_content) => proto::PullObjectResponse {
            object_found: true,
            object_available: true,
            object_content,
        },
    }
}

/// A run, as an answer gives it.
pub(crate) fn read_run(run: proto::Run) -> Result<Run> {
    let id = RunId(run.run_id);
    let wrong = |what: &dyn Display| unreadable(&format!("run {id}: {what}"));
    let status = run.status.unwrap_or_default();
    let pending_at = Timestamp::from_iso8601(&run.pending_at)
        .ok_or_else(|| wrong(&format!("`pending_at` is {:?}", run.pending_at)))?;
    Ok(Run {
        id,
        fab_id: run.fab_id,
        fab_version: run.fab_version,
        fab_hash: run.fab_hash,
        account: run.flwr_aid,
        override_config: config::from_wire(run.override_config).map_err(|error| wrong(&error))?,
        status: RunStatus::try_from(status).map_err(|error| wrong(&error))?,
        pending_at,
        starting_at: Timestamp::from_iso8601(&run.starting_at),
        running_at: Timestamp::from_iso8601(&run.running_at),
        finished_at: Timestamp::from_iso8601(&run.finished_at),
    })
}

/// An answer that breaks rules.
pub(crate) fn unreadable(what: &str) -> Failure {
    let text = format!("the answer of the SuperLink cannot be read: {what}");
    Unanswered::new(Silence::Broken, text).into()
}
