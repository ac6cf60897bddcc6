//! INTERIM
use crate::id::{NodeId, RunId};
use crate::message::Flaws;
use crate::object::{InvalidObjectId, ObjectError, ObjectId, TreeError};
use thiserror::Error;

#[derive(Debug, Clone, Error)]
pub enum Refusal {
    #[error("`{field}` {problem}")]
    Field {
        field: &'static str,
        problem: String,
    },
    #[error("Malformed PushMessages: {0}")]
    Malformed(Flaws),
    #[error(
        "message {0} has no object tree of its own: `message_object_trees` must hold one for each message, with its id at the root"
    )]
    NoTree(ObjectId),
    #[error("malformed object tree")]
    Tree(#[source] TreeError),
    #[error(transparent)]
    ObjectId(InvalidObjectId),
    #[error("Invalid node ID")]
    OtherNode {
        caller: Option<NodeId>,
        claimed: NodeId,
    },
    #[error("Access denied")]
    AccessDenied,
    #[error("unknown token")]
    UnknownToken,
    #[error("Unexpected node ID.")]
    UnexpectedNode(NodeId),
    #[error("{0}")]
    Status(crate::run::InvalidStatus),
    #[error("the run configuration is refused: {0}")]
    RunConfig(crate::config::ConfigError),
    #[error("Runs are started over TLS here: drop --insecure and give --root-certificates")]
    TlsRequired,
    #[error("{1}")]
    Interim(i32, String),
}
#[derive(Debug, Clone, Error)]
pub enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0}")]
    TryAgain(String),
}
