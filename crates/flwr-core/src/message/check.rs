//! The rules that a message from the wire must keep. Every broken one is told, in the words
//! that flwr 1.22 peers know.

use std::fmt;

use flwr_proto as proto;
use thiserror::Error;

use super::{Body, Message, MessageId, Metadata};
use crate::id::{NodeId, RunId};
use crate::time::Timestamp;

/// Messages from before this moment have a clock that is off: 2025-02-28 UTC (flwr 1.22 wire).
const EARLIEST: f64 = 1_740_700_800.0;
/// First words of a message type (flwr 1.22 wire). They may be followed by a dot and a name.
const ACTIONS: [&str; 4] = ["train", "evaluate", "query", "system"];
/// Message types of older apps, which stand alone.
const LEGACY_TYPES: [&str; 3] = ["get_properties", "get_parameters", "reconnect"];

/// One rule that a message breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Flaw {
    /// No metadata at all.
    #[error("`metadata` is not set")]
    NoMetadata,
    /// It has no name.
    #[error("empty `metadata.message_id`")]
    NoId,
    /// Its name, or the one it answers, is not an object id.
    #[error("`{field}`: {id:?} is not an object id: 64 lowercase hex digits are expected")]
    MalformedId {
        /// The field at fault.
        field: &'static str,
        /// What stands there.
        id: String,
    },
    /// Made before [`EARLIEST`], or at no time at all.
    #[error(
        "`metadata.created_at` must be a float that records the unix timestamp in seconds when the message was created."
    )]
    CreatedTooEarly,
    /// Expired when it was made.
    #[error("`metadata.ttl` must be higher than zero")]
    NoTtl,
    /// Too old.
    #[error("Message TTL has expired")]
    Expired,
    /// From nobody.
    #[error("`metadata.src_node_id` is not set.")]
    NoSource,
    /// For nobody.
    #[error("`metadata.dst_node_id` is not set.")]
    NoDestination,
    /// It does not say what to do.
    #[error("`metadata.message_type` MUST be set")]
    NoType,
    /// It says something that no app can be asked to do.
    #[error(
        "`metadata.message_type` {0:?} is not train, evaluate, query or system, with or without `.<name>`"
    )]
    UnknownType(String),
    /// Both, or neither.
    #[error("Either message `content` or `error` MUST be set (but not both)")]
    NotOneBody,
    /// An instruction that is a reply.
    #[error("`metadata.reply_to_message_id` MUST not be set.")]
    InstructionRepliesTo,
    /// An instruction that is not from the ServerApp.
    #[error("`metadata.src_node_id` is not 1 (SuperLink).")]
    InstructionFromNode,
    /// An instruction to the ServerApp.
    #[error("`metadata.dst_node_id` is 1 (SuperLink).")]
    InstructionToSuperLink,
    /// A reply to nothing.
    #[error("`metadata.reply_to_message_id` MUST be set.")]
    ReplyToNothing,
    /// A reply from the ServerApp.
    #[error("`metadata.src_node_id` is 1 (SuperLink).")]
    ReplyFromSuperLink,
    /// A reply to a node.
    #[error("`metadata.dst_node_id` is not 1 (SuperLink).")]
    ReplyToNode,
}

/// All the rules that a message breaks; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Flaws(pub Vec<Flaw>);

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

impl Message {
    /// Reads an instruction: from the ServerApp, to a node.
    ///
    /// # Errors
    /// With every rule it breaks.
    pub fn instruction(message: proto::Message, now: Timestamp) -> Result<Self, Flaws> {
        let (mut flaws, message) = read(message, now);
        if let Some(Self { metadata, .. }) = &message {
            note(
                &mut flaws,
                metadata.reply_to.is_some(),
                Flaw::InstructionRepliesTo,
            );
            note(
                &mut flaws,
                metadata.src != NodeId::SUPERLINK,
                Flaw::InstructionFromNode,
            );
            note(
                &mut flaws,
                metadata.dst == NodeId::SUPERLINK,
                Flaw::InstructionToSuperLink,
            );
        }
        finish(flaws, message)
    }

    /// Reads a reply: from a node, to the ServerApp, in answer to an instruction. A reply that comes
    /// too late is well-formed: flwr's SuperNodes end where their SuperLink calls a reply malformed.
    ///
    /// # Errors
    /// With every rule it breaks.
    pub fn reply(message: proto::Message) -> Result<Self, Flaws> {
        let (flaws, message) = read_reply(message);
        finish(flaws, message)
    }

    /// Reads an answer to an instruction, as the ServerApp gets it: from the node, or from the
    /// SuperLink in the node's place. The answers of a SuperLink need not live, and its errors answer
    /// also an instruction that was not sent.
    ///
    /// # Errors
    /// With every rule it breaks.
    pub fn answer(message: proto::Message) -> Result<Self, Flaws> {
        let is_error = message.error.is_some();
        let (mut flaws, message) = read_reply(message);
        let mut allowed = vec![Flaw::ReplyFromSuperLink];
        if is_error && flaws.contains(&Flaw::ReplyFromSuperLink) {
            allowed.push(Flaw::ReplyToNothing);
        }
        flaws.retain(|flaw| !allowed.contains(flaw));
        finish(flaws, message)
    }
}

/// What can be read of a reply, and what is wrong with it. How long it lives, others judge.
fn read_reply(message: proto::Message) -> (Vec<Flaw>, Option<Message>) {
    let (mut flaws, message) = read(message, Timestamp::ZERO);
    flaws.retain(|flaw| ![Flaw::NoTtl, Flaw::Expired].contains(flaw));
    if let Some(Message { metadata, .. }) = &message {
        note(
            &mut flaws,
            metadata.reply_to.is_none(),
            Flaw::ReplyToNothing,
        );
        note(
            &mut flaws,
            metadata.src == NodeId::SUPERLINK,
            Flaw::ReplyFromSuperLink,
        );
        note(
            &mut flaws,
            metadata.dst != NodeId::SUPERLINK,
            Flaw::ReplyToNode,
        );
    }
    (flaws, message)
}

/// What can be read of the message, and what is wrong with it. No message: it cannot be named.
fn read(message: proto::Message, now: Timestamp) -> (Vec<Flaw>, Option<Message>) {
    let mut flaws = Vec::new();
    let Some(wire) = message.metadata else {
        return (vec![Flaw::NoMetadata], None);
    };
    note(&mut flaws, wire.message_id.is_empty(), Flaw::NoId);
    let created_at = Timestamp::from_secs(wire.created_at);
    // What is required, not what is refused: a NaN then breaks every rule.
    require(
        &mut flaws,
        wire.created_at >= EARLIEST,
        Flaw::CreatedTooEarly,
    );
    require(&mut flaws, wire.ttl > 0.0, Flaw::NoTtl);
    require(
        &mut flaws,
        wire.created_at + wire.ttl > now.as_secs(),
        Flaw::Expired,
    );
    note(&mut flaws, wire.src_node_id == 0, Flaw::NoSource);
    note(&mut flaws, wire.dst_node_id == 0, Flaw::NoDestination);
    match &wire.message_type[..] {
        "" => flaws.push(Flaw::NoType),
        word if !is_message_type(word) => flaws.push(Flaw::UnknownType(word.to_owned())),
        _ => {}
    }
    let body = match (message.content, message.error) {
        (Some(_), None) => Body::Content,
        (None, Some(error)) => Body::Error {
            code: error.code,
            reason: error.reason,
        },
        _ => {
            flaws.push(Flaw::NotOneBody);
            Body::Content
        }
    };
    let id = read_id(&mut flaws, "metadata.message_id", &wire.message_id);
    let reply_to = read_id(
        &mut flaws,
        "metadata.reply_to_message_id",
        &wire.reply_to_message_id,
    );
    let message = id.map(|id| Message {
        metadata: Metadata {
            run: RunId(wire.run_id),
            id,
            src: NodeId(wire.src_node_id),
            dst: NodeId(wire.dst_node_id),
            reply_to,
            group: wire.group_id,
            ttl: wire.ttl,
            message_type: wire.message_type,
            created_at,
        },
        body,
    });
    (flaws, message)
}

fn finish(flaws: Vec<Flaw>, message: Option<Message>) -> Result<Message, Flaws> {
    match message {
        Some(message) if flaws.is_empty() => Ok(message),
        _ => Err(Flaws(flaws)),
    }
}

fn note(flaws: &mut Vec<Flaw>, broken: bool, flaw: Flaw) {
    if broken {
        flaws.push(flaw);
    }
}

fn require(flaws: &mut Vec<Flaw>, kept: bool, flaw: Flaw) {
    note(flaws, !kept, flaw);
}

/// An empty field is no id; whether one is needed, others judge.
fn read_id(flaws: &mut Vec<Flaw>, field: &'static str, text: &str) -> Option<MessageId> {
    if text.is_empty() {
        return None;
    }
    let id = text.parse().ok();
    let shown = || text.chars().take(80).collect();
    if id.is_none() {
        flaws.push(Flaw::MalformedId { field, id: shown() });
    }
    id
}

fn is_message_type(word: &str) -> bool {
    if LEGACY_TYPES.contains(&word) {
        return true;
    }
    match word.split_once('.') {
        None => ACTIONS.contains(&word),
        Some((action, name)) => ACTIONS.contains(&action) && is_identifier(name),
    }
}

/// A Python identifier, near enough: a letter or underscore, then letters, digits, underscores.
fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|first| first == '_' || first.is_alphabetic())
        && chars.all(|rest| rest == '_' || rest.is_alphanumeric())
}
