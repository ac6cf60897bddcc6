//! Messages: instructions from a ServerApp to a SuperNode, and the replies to them.
//!
//! A message on the wire is its metadata, and either an error or the mark that there is content;
//! the content itself travels as objects. Its id is the id of the Message object, which is made
//! with the id left out (flwr 1.20 to 1.22 wire).

use bytes::Bytes;
use flwr_proto as proto;
use prost::Message as _;

use crate::id::{NodeId, RunId};
use crate::object::{Kind, Object, ObjectId, ObjectTree};
use crate::time::Timestamp;

mod check;

pub use check::{Flaw, Flaws};

/// The id of a message is that of its Message object.
pub type MessageId = ObjectId;

/// What is known of a message without looking into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Metadata {
    /// The run it belongs to.
    pub run: RunId,
    /// Its own name.
    pub id: MessageId,
    /// Who made it.
    pub src: NodeId,
    /// Whom it is for.
    pub dst: NodeId,
    /// The instruction it answers; none in an instruction.
    pub reply_to: Option<MessageId>,
    /// What the ServerApp groups it by: often the round's number.
    pub group: String,
    /// Seconds after `created_at` at which it expires.
    pub ttl: f64,
    /// What the ClientApp does with it: `train`, `evaluate`, `query` …
    pub message_type: String,
    /// By the clock of whoever made it.
    pub created_at: Timestamp,
}

/// What a message brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A RecordDict, as objects.
    Content,
    /// The reason why there is no content.
    Error {
        /// One of [`ErrorCode`], or a code of the app's own.
        code: i64,
        /// For people.
        reason: String,
    },
}

/// A message, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Everything but the content.
    pub metadata: Metadata,
    /// Content or error.
    pub body: Body,
}

/// A message and all that it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcel {
    /// The message.
    pub message: Message,
    /// Its objects.
    pub tree: ObjectTree,
}

/// Reasons why a message carries an error (flwr 1.22 wire).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// None of the others.
    Unknown = 0,
    /// The ClientApp could not be loaded.
    LoadClientApp = 1,
    /// The ClientApp raised an exception.
    ClientAppRaised = 2,
    /// The instruction is not known, or expired.
    MessageUnavailable = 3,
    /// The reply expired before it was taken.
    ReplyUnavailable = 4,
    /// The node gave no sign of life in time.
    NodeUnavailable = 5,
}

impl Metadata {
    /// When the message is too old to be handed out.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.created_at + self.ttl
    }

    fn to_wire(&self, message_id: String) -> proto::Metadata {
        proto::Metadata {
            run_id: self.run.0,
            message_id,
            src_node_id: self.src.0,
            dst_node_id: self.dst.0,
            reply_to_message_id: self.reply_to.map(|id| id.to_string()).unwrap_or_default(),
            group_id: self.group.clone(),
            ttl: self.ttl,
            message_type: self.message_type.clone(),
            created_at: self.created_at.as_secs(),
            src_task_id: None,
            dst_task_id: None,
        }
    }
}

impl Message {
    /// The Message object of this message: with the RecordDict `content` as its only child, or
    /// without children where it carries an error. Its id is the one that the message must have.
    #[must_use]
    pub fn object(&self, content: Option<ObjectId>) -> Object {
        let body = proto::Message {
            metadata: Some(self.metadata.to_wire(String::new())),
            content: None,
            error: self.body.error(),
        };
        Object::new(Kind::Message, content.as_slice(), &body.encode_to_vec())
    }

    /// The reply that tells the ServerApp why there will be no other, and its Message object.
    /// It comes from `src`: the node, or the SuperLink in its place.
    #[must_use]
    pub fn error_reply(
        instruction: &Metadata,
        src: NodeId,
        code: ErrorCode,
        reason: impl Into<String>,
        now: Timestamp,
    ) -> (Self, Object) {
        let metadata = Metadata {
            src,
            dst: NodeId::SUPERLINK,
            reply_to: Some(instruction.id),
            ttl: instruction.expires_at().since(now).max(0.0),
            created_at: now,
            ..instruction.clone()
        };
        Self {
            metadata,
            body: Body::Error {
                code: code as i64,
                reason: reason.into(),
            },
        }
        .with_own_id(None)
    }

    /// The reply to an id that names no instruction: nothing else is known of it. `asked` is None
    /// for an instruction that was not sent, which has no id.
    #[must_use]
    pub fn unavailable(
        run: RunId,
        asked: Option<MessageId>,
        reason: &str,
        now: Timestamp,
    ) -> (Self, Object) {
        let metadata = Metadata {
            run,
            id: ObjectId::of(&[]),
            src: NodeId::SUPERLINK,
            dst: NodeId::SUPERLINK,
            reply_to: asked,
            group: String::new(),
            ttl: 0.0,
            message_type: "system".to_owned(),
            created_at: now,
        };
        let code = ErrorCode::MessageUnavailable as i64;
        Self {
            metadata,
            body: Body::Error {
                code,
                reason: reason.to_owned(),
            },
        }
        .with_own_id(None)
    }

    /// The form in which a message is kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        proto::Message::from(self.clone()).encode_to_vec()
    }

    /// Reads a reply that was kept. Whether it has expired, others judge.
    #[must_use]
    pub fn reply_from_bytes(bytes: Bytes) -> Option<Self> {
        let message = proto::Message::decode(bytes).ok()?;
        Self::reply(message).ok()
    }

    /// Gives the message its id. `content` is the tree of its RecordDict. Gives the message with the
    /// tree that announces it, and its Message object.
    #[must_use]
    pub fn announced(self, content: Option<ObjectTree>) -> (Parcel, Object) {
        let (message, object) = self.with_own_id(content.as_ref().map(|content| content.id));
        let tree = ObjectTree {
            id: object.id,
            children: content.into_iter().collect(),
        };
        (Parcel { message, tree }, object)
    }

    fn with_own_id(mut self, content: Option<ObjectId>) -> (Self, Object) {
        let object = self.object(content);
        self.metadata.id = object.id;
        (self, object)
    }

    /// The tree that announces this message where it has no content.
    #[must_use]
    pub const fn childless_tree(&self) -> ObjectTree {
        ObjectTree::leaf(self.metadata.id)
    }
}

impl Body {
    fn error(&self) -> Option<proto::Error> {
        match self {
            Self::Content => None,
            Self::Error { code, reason } => Some(proto::Error {
                code: *code,
                reason: reason.clone(),
            }),
        }
    }
}

impl From<Message> for proto::Message {
    fn from(message: Message) -> Self {
        let id = message.metadata.id.to_string();
        Self {
            metadata: Some(message.metadata.to_wire(id)),
            content: (message.body == Body::Content).then(proto::RecordDict::default),
            error: message.body.error(),
        }
    }
}

#[cfg(test)]
mod tests;
