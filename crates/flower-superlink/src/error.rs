//! Why the SuperLink does not do what it is asked.

use flwr_core::config::ConfigError;
use flwr_core::fab::FabError;
use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Flaws;
use flwr_core::object::{InvalidObjectId, ObjectError, ObjectId, TreeError};
use flwr_core::run::{InvalidStatus, Phase};
use thiserror::Error;

use crate::link::state::{Refusal, StateError};

/// Why the SuperLink does not do what it is asked. `api/status.rs` maps it to the wire.
#[derive(Debug, Error)]
pub enum Error {
    /// The state refuses, or is broken.
    #[error(transparent)]
    State(#[from] StateError),
    /// The bytes of objects or bundles could not be kept or read.
    #[error(transparent)]
    Bytes(#[from] flwr_daemon::objects::Error),
    /// A field of the request is not what it should be.
    #[error("`{field}` {problem}")]
    Field {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Pushed messages break rules.
    #[error("Malformed PushMessages: {0}")]
    Malformed(Flaws),
    /// There is not one object tree for each message, with the message as its root.
    #[error(
        "message {0} has no object tree of its own: `message_object_trees` must hold one for each message, with its id at the root"
    )]
    NoTree(ObjectId),
    /// An object tree is malformed.
    #[error("malformed object tree")]
    Tree(#[from] TreeError),
    /// Not an object id.
    #[error(transparent)]
    ObjectId(#[from] InvalidObjectId),
    /// Pushed bytes are no object.
    #[error("Object with ID '{id}' has an unexpected structure. {problem}")]
    Object {
        /// SHA-256 of the bytes.
        id: ObjectId,
        /// What is wrong with them. No source: the peers know the sentence as a whole.
        problem: ObjectError,
    },
    /// An object's head and the tree that announced it disagree.
    #[error(
        "Object with ID '{0}' has an unexpected structure. Its head lists other children than the object tree that announced it."
    )]
    ObjectChildren(ObjectId),
    /// Not the status of a run.
    #[error(transparent)]
    Status(#[from] InvalidStatus),
    /// The FAB is refused.
    #[error("the FAB is refused")]
    Fab(#[source] FabError),
    /// The run configuration is refused.
    #[error("the run configuration is refused")]
    RunConfig(#[source] ConfigError),
    /// No such FAB.
    #[error("Found no FAB with hash: {0}")]
    UnknownFab(String),
    /// A message of another run than the request's.
    #[error("message {message} is of run {found}, not of run {run}")]
    OtherRun {
        /// The message.
        message: ObjectId,
        /// The request's run.
        run: RunId,
        /// The message's.
        found: RunId,
    },
    /// A ServerApp speaks for a node, or a token for another run.
    #[error("{0}")]
    Precondition(&'static str),
    /// A node speaks for another.
    #[error("Invalid node ID")]
    OtherNode {
        /// The node that the caller's key is bound to.
        caller: Option<NodeId>,
        /// The node it speaks for.
        claimed: NodeId,
    },
    /// The run is over already.
    #[error("Run ID {0} is already finished")]
    AlreadyFinished(RunId),
    /// Only finished runs are deleted.
    #[error("Run ID {run} is {phase}: end it first, with `flwr stop {run}`")]
    NotFinished {
        /// The run.
        run: RunId,
        /// Where it stands.
        phase: Phase,
    },
    /// Accounts are on, and the caller has shown none.
    #[error("\u{fe0f}⛔\u{fe0f} User authentication is enabled, but `flwr_aid` is None")]
    NoAccount,
    /// The run was made before accounts were on.
    #[error(
        "⛔\u{fe0f} User authentication is enabled, but the run is not associated with a `flwr_aid`."
    )]
    RunOfNobody,
    /// The run was made by another account.
    #[error("⛔\u{fe0f} Run ID does not belong to the user")]
    RunOfAnother,
    /// Nothing new is taken.
    #[error(
        "the SuperLink is full: {used} bytes are kept, and --max-storage allows {limit}; it takes new runs and messages again when runs have finished"
    )]
    Full {
        /// Bytes that are kept.
        used: u64,
        /// Bytes that may be.
        limit: u64,
    },
    /// The daemon ends.
    #[error("the SuperLink is shutting down")]
    Stopping,
    /// The system has no random numbers to give.
    #[error("the system's random number generator failed")]
    Random,
}

/// What the SuperLink gives.
pub type Result<T> = std::result::Result<T, Error>;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::State(refusal.into())
    }
}
