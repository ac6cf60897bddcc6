//! What must not be forgotten of messages.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata, Parcel};
use flwr_core::object::ObjectId;
use flwr_core::port::runtime::Sent;
use flwr_core::time::Timestamp;

use super::{Blob, Session, StateResult, Written};

/// What there is to say to a ServerApp that asks for a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The reply.
    Reply(Box<Parcel>),
    /// Nothing yet. Unless something is pushed, nothing changes before `until`.
    Waiting {
        /// When the instruction expires, or its node counts as lost.
        until: Timestamp,
    },
    /// No such instruction in this run, or it is expired and gone.
    Unknown,
    /// The instruction is expired.
    Expired(Box<Metadata>),
    /// The reply came, and expired before it was taken.
    ReplyExpired(Box<Metadata>),
    /// The node gave no sign of life in time.
    NodeLost(Box<Metadata>),
    /// The node left, and did not return in time.
    NodeLeft(Box<Metadata>),
}

impl Answer {
    /// The node that is lost or has left, if that is the answer.
    pub(crate) fn node_that_is_gone(&self) -> Option<NodeId> {
        match self {
            Self::NodeLost(asked) | Self::NodeLeft(asked) => Some(asked.dst),
            _ => None,
        }
    }
}

/// Messages: instructions to nodes, and the replies to them.
#[async_trait]
pub trait Messages {
    /// Stores instructions of a running run and announces their objects. The same instruction
    /// again changes nothing and is answered alike, so that a caller may repeat itself.
    async fn insert_instructions(&self, run: RunId, instructions: Vec<Parcel>) -> Written<Sent>;

    /// Hands the oldest whole, unexpired, untaken instruction to `node`, and marks it taken.
    ///
    /// # Behavior
    /// - nothing waits: `None`
    /// - `session` is not the node's any more: `None`, whatever waits
    /// - the last one was neither confirmed nor answered: it comes again, for its answer was
    ///   lost on the way; a node asks only when it has nothing in hand
    /// - else, once it has answered, no call is given the same message
    async fn claim_message(
        &self,
        node: NodeId,
        session: Session,
        now: Timestamp,
    ) -> StateResult<Option<Parcel>>;

    /// Stores a node's reply and announces its objects. Gives those whose bytes are not there.
    ///
    /// # Behavior
    /// - the run is not running: refused
    /// - the instruction is unknown, expired, or was for another node: refused
    /// - a reply is there: the same one is answered alike, another is refused
    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> Written<Vec<ObjectId>>;

    /// What there is to say about each of these instructions, in the order asked. Changes
    /// nothing: a reply stays until it is confirmed.
    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>>;

    /// Makes an error reply of the SuperLink's own the answer to an instruction. The bytes of its
    /// Message object stand at `blob`.
    ///
    /// # Behavior
    /// - a whole reply is there already: it stays, and the error's object is freed, unless the
    ///   reply is `flawed`: its bytes cannot be given any more
    /// - the instruction is not known: the error can be pulled and confirmed all the same
    async fn settle(
        &self,
        run: RunId,
        reply: Message,
        blob: Blob,
        flawed: Option<MessageId>,
    ) -> Written<()>;

    /// Whether an instruction for the node has no whole reply.
    async fn is_awaited(&self, node: NodeId) -> StateResult<bool>;

    /// The message arrived. A reply: it and its instruction are done with. An instruction: its
    /// node has it, and its objects stay until it is answered.
    async fn confirm(&self, run: RunId, message: MessageId) -> Written<()>;
}
