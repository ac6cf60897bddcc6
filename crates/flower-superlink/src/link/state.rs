//! What the SuperLink must not forget, as one trait: [`LinkState`].
//!
//! Each method is one fact that is true or not, whatever the backend and whoever is killed: it
//! happens whole or not at all, and once it has answered it stays. A *refusal* is an answer that
//! the protocol knows; a *broken* state is a disk that fails. Objects are known here by id and by
//! what they are made of; their bytes are kept elsewhere, and a method that ends an object's use
//! says so in [`Freed`].
//!
//! Not promised: the order of replies, and an order between runs.

use async_trait::async_trait;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata};
use flwr_core::object::ObjectId;
use flwr_core::run::{Run, RunStatus};
use flwr_core::time::Timestamp;
use flwr_daemon::apps::Identity;
use flwr_proto::Context;
use flwr_security::key::PublicKey;

mod error;
mod upkeep;

pub use error::{StateError, StateResult};
pub use flwr_core::message::Parcel;
pub use upkeep::{Keep, READ, Usage};

/// The limit in seconds from a ServerApp's token to its inputs, and from its inputs to its first
/// heartbeat. Python takes a second or two; a machine under load, more.
pub const APP_FIRST_HEARTBEAT: f64 = 120.0;

/// Objects that nothing refers to any more: their bytes are to be let go, each as often as it
/// is listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "the bytes of these objects are still kept"]
pub struct Freed(pub Vec<ObjectId>);

/// How a node came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its id.
    pub node: NodeId,
    /// It was here before with the same key, and has its id back.
    pub resumed: bool,
    /// Objects of replies that it had begun to push.
    pub freed: Freed,
}

/// What became of pushed messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inserted {
    /// One for each message in order: its id, or `None` if its node is not known.
    pub ids: Vec<Option<MessageId>>,
    /// Announced objects whose bytes are not there.
    pub missing: Vec<ObjectId>,
    /// Nodes that have a whole message to take.
    pub ready: Vec<NodeId>,
}

/// What became of a pushed reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replied {
    /// Announced objects whose bytes are not there.
    pub missing: Vec<ObjectId>,
    /// The reply is whole, so the objects of its instruction have done their duty.
    pub freed: Freed,
    /// The reply can be taken.
    pub ready: bool,
}

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
    /// The node is not registered any more, or gave no sign of life in time.
    NodeLost(Box<Metadata>),
}

/// An object as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// What the tree that announced it says it is made of.
    pub children: Vec<ObjectId>,
    /// Its bytes are there.
    pub available: bool,
}

/// What the arrival of an object's bytes changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The bytes are counted for this run. Otherwise nobody waits for them (any more), or they
    /// were there already, and they are to be let go.
    pub kept: bool,
    /// Nodes that now have a whole message to take.
    pub ready: Vec<NodeId>,
    /// A reply of the run became whole.
    pub replied: bool,
    /// Objects of answered instructions.
    pub freed: Freed,
}

/// What time alone changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expiry {
    /// Runs that failed since their ServerApp gave no sign of life.
    pub lost_runs: Vec<RunId>,
    /// Objects of expired messages and lost runs.
    pub freed: Freed,
    /// A pending run can be given a token again.
    pub pending: bool,
}

/// A piece of a run's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// When it arrived; strictly increasing within a run.
    pub at: Timestamp,
    /// Raw text, colours included; not necessarily a whole line.
    pub text: String,
}

/// How a node wants its messages, by the version of Flower it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// As objects: flwr 1.19 and later.
    Objects,
    /// In one piece: flwr 1.15 to 1.18.
    Inline,
    /// As tasks, in the numbering of one of the next two: which, its first reply tells.
    Tasks,
    /// As tasks: flwr 1.8 to 1.11.
    TasksUntil11,
    /// As tasks: flwr 1.12 to 1.14.
    TasksFrom12,
}

impl Dialect {
    const ALL: [Self; 5] = [
        Self::Objects,
        Self::Inline,
        Self::Tasks,
        Self::TasksUntil11,
        Self::TasksFrom12,
    ];

    /// INTERIM
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.text() == text)
    }

    /// INTERIM
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Objects => "objects",
            Self::Tasks => "tasks",
            Self::TasksUntil11 => "tasks-1.11",
            Self::TasksFrom12 => "tasks-1.12",
        }
    }
}

/// A node, as it stands in the state.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownNode {
    /// Its id.
    pub id: NodeId,
    /// The key it proves itself with.
    pub key: PublicKey,
    /// Until when it counts as online.
    pub online_until: Timestamp,
}

/// Everything durable about nodes, runs, messages, object references, tokens and logs.
#[async_trait]
pub trait LinkState: std::fmt::Debug + Send + Sync {
    // --- nodes ---

    /// Takes the node with this key in, online until `until`.
    ///
    /// # Behavior
    /// - a new key: the node is named `fresh`
    /// - a key that is bound: its node's id stands, and what the node took but did not answer is
    ///   handed out again, since whoever took it is gone
    async fn register_node(
        &self,
        key: &PublicKey,
        fresh: NodeId,
        until: Timestamp,
    ) -> StateResult<Registration>;

    /// Forgets the node and its key. Unknown: nothing happens.
    async fn remove_node(&self, node: NodeId) -> StateResult<()>;

    /// The node bound to this key.
    async fn node_of_key(&self, key: &PublicKey) -> StateResult<Option<NodeId>>;

    /// The node lives: it is online until `until`. False if it is not known.
    async fn keep_node(&self, node: NodeId, until: Timestamp) -> StateResult<bool>;

    /// Notes how the node wants its messages. Unknown: nothing happens.
    async fn set_dialect(&self, node: NodeId, dialect: Dialect) -> StateResult<()>;

    /// How the node wants its messages, if that was noted.
    async fn dialect(&self, node: NodeId) -> StateResult<Option<Dialect>>;

    /// All nodes, in the order of their ids.
    async fn nodes(&self) -> StateResult<Vec<KnownNode>>;

    /// The nodes online at `now`, in the order of their ids.
    async fn online_nodes(&self, now: Timestamp) -> StateResult<Vec<NodeId>>;

    // --- runs ---

    /// Adds a run, pending or starting, with the Context that its ServerApp starts from.
    async fn create_run(&self, run: Run, context: Context) -> StateResult<()>;

    /// The run, if it is known.
    async fn run(&self, run: RunId) -> StateResult<Option<Run>>;

    /// All runs, oldest first.
    async fn runs(&self) -> StateResult<Vec<Run>>;

    /// Moves the run on. A run that begins has [`APP_FIRST_HEARTBEAT`] to send a heartbeat. A finished
    /// run's messages, tokens and objects are gone.
    ///
    /// # Behavior
    /// - a step that runs do not take: refused with `Refusal::Transition`
    async fn change_run(&self, run: RunId, to: RunStatus, now: Timestamp) -> StateResult<Freed>;

    /// Sets an unfinished run back to its beginning: pending, with its first Context and without
    /// messages, objects and token. Once in a run's life; then `Refusal::ResumedBefore`.
    async fn rewind_run(&self, run: RunId) -> StateResult<Freed>;

    /// The ServerApp lives: without another sign the run is lost at `until`. False unless the
    /// run is starting or running.
    async fn keep_run(&self, run: RunId, until: Timestamp) -> StateResult<bool>;

    /// The ServerApp's Context.
    async fn context(&self, run: RunId) -> StateResult<Context>;

    /// Replaces the ServerApp's Context; the run must be running.
    async fn set_context(&self, run: RunId, context: Context) -> StateResult<()>;

    /// Notes the process that the run's ServerApp runs in, or that it does so no more.
    async fn set_app(&self, run: RunId, app: Option<Identity>) -> StateResult<()>;

    /// The processes that are noted.
    async fn apps(&self) -> StateResult<Vec<(RunId, Identity)>>;

    // --- tokens ---

    /// Makes this the token of the run, by its hash. Refused with `Refusal::HasToken` if it
    /// has one, and if the run is finished. One that nobody uses for [`APP_FIRST_HEARTBEAT`] expires:
    /// whoever was given it did not get as far as to begin.
    async fn issue_token(&self, run: RunId, token: ObjectId, now: Timestamp) -> StateResult<()>;

    /// The run that the token with this hash stands for; else `Refusal::UnknownToken`.
    async fn run_of_token(&self, token: ObjectId) -> StateResult<RunId>;

    /// Makes the run's token invalid.
    async fn revoke_token(&self, run: RunId) -> StateResult<()>;

    // --- messages ---

    /// Stores instructions of a running run and announces their objects. The same instruction
    /// again changes nothing and is answered alike, so that a caller may repeat itself.
    async fn insert_instructions(
        &self,
        run: RunId,
        instructions: Vec<Parcel>,
    ) -> StateResult<Inserted>;

    /// Hands the oldest whole, unexpired, untaken instruction to `node`, and marks it taken.
    ///
    /// # Behavior
    /// - nothing waits: `None`
    /// - the last one was neither confirmed nor answered: it comes again, for its answer was
    ///   lost on the way; a node asks only when it has nothing in hand
    /// - else, once it has answered, no call is given the same message
    async fn claim_message(&self, node: NodeId, now: Timestamp) -> StateResult<Option<Parcel>>;

    /// Stores a node's reply and announces its objects.
    ///
    /// # Behavior
    /// - the run is not running: refused
    /// - the instruction is unknown, expired, or was for another node: refused
    /// - a reply is there: the same one is answered alike, another is refused
    async fn insert_reply(&self, reply: Parcel, now: Timestamp) -> StateResult<Replied>;

    /// What there is to say about each of these instructions, in the order asked. Changes
    /// nothing: a reply stays until it is confirmed.
    async fn answers(
        &self,
        run: RunId,
        instructions: &[MessageId],
        now: Timestamp,
    ) -> StateResult<Vec<Answer>>;

    /// Makes an error reply of the SuperLink's own the answer to an instruction. Its Message
    /// object's bytes are there.
    ///
    /// # Behavior
    /// - a whole reply is there already: it stays, and the error's object is freed
    /// - the instruction is not known: the error can be pulled and confirmed all the same
    async fn settle(&self, run: RunId, reply: Message) -> StateResult<Freed>;

    /// The message arrived. A reply: it and its instruction are done with. An instruction: its
    /// node has it, and its objects stay until it is answered.
    async fn confirm(&self, run: RunId, message: MessageId) -> StateResult<Freed>;

    // --- objects ---

    /// What is known of an object of a running run.
    async fn object(&self, run: RunId, object: ObjectId) -> StateResult<Option<ObjectEntry>>;

    /// The object's bytes are kept, once for this run.
    async fn object_arrived(&self, run: RunId, object: ObjectId) -> StateResult<Arrival>;

    // --- logs ---

    /// Adds to the run's log.
    async fn append_log(&self, run: RunId, text: String, now: Timestamp) -> StateResult<()>;

    /// What was logged after that moment, oldest first.
    async fn log_after(&self, run: RunId, after: Timestamp) -> StateResult<Vec<LogEntry>>;

    // --- space ---

    /// Bytes that the state takes on disk; 0 where it takes none.
    async fn used(&self) -> StateResult<u64>;

    /// What takes the space. It looks at every run: not for the hot path.
    async fn usage(&self) -> StateResult<Usage>;

    /// Deletes a finished run, with its log and all that names it.
    ///
    /// # Behavior
    /// - the run is not finished: refused with `Refusal::RunIs`
    /// - its ServerApp process is noted: refused with `Refusal::ProcessLives`
    async fn delete_run(&self, run: RunId) -> StateResult<()>;

    /// Finished runs that `keep` does not cover and [`Self::delete_run`] would not refuse: those
    /// that finished first, at most `limit`.
    async fn expendable_runs(
        &self,
        keep: Keep,
        now: Timestamp,
        limit: usize,
    ) -> StateResult<Vec<RunId>>;

    /// Forgets a node that was not online since `moment`. False if the node was, is not known, or
    /// an instruction for it is still there.
    async fn forget_node(&self, node: NodeId, moment: Timestamp) -> StateResult<bool>;

    /// Gives free space back to the file system, a little at a time, and nothing while there is
    /// something to write. A little of it stays for what comes next.
    async fn give_back(&self) -> StateResult<()>;

    /// Brings everything to its place on disk. Nothing can be changed after that.
    async fn close(&self);

    // --- time ---

    /// The clock was set, by so many seconds: what nodes and runs have left of their time to give
    /// a sign of life stays as it was.
    fn move_leases(&self, seconds: f64);

    /// Lets go of what is over at `now`: instructions expired for a while, runs whose ServerApp
    /// gave no sign of life, and unused tokens of pending runs.
    async fn expire(&self, now: Timestamp) -> StateResult<Expiry>;
}
