//! From the wire's words to the domain's, for what several services share.

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::Message;
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::refusal::Refusal;
use flwr_core::time::Timestamp;
use flwr_proto as proto;

use crate::error::{Error, Result};
use crate::link::Pulled;
use crate::link::state::Parcel;

/// Each message with the tree that has its id at the root, read by `read`.
pub(super) fn parcels(
    messages: Vec<proto::Message>,
    trees: Vec<proto::ObjectTree>,
    read: impl Fn(proto::Message) -> Result<Message>,
) -> Result<Vec<Parcel>> {
    let mut trees = trees
        .into_iter()
        .map(|tree| ObjectTree::try_from(tree).map(Some))
        .collect::<std::result::Result<Vec<_>, _>>()?;
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

pub(super) fn instruction(message: proto::Message, now: Timestamp) -> Result<Message> {
    Message::instruction(message, now).map_err(Error::from)
}

/// An object's name in a request.
pub(super) fn object(run: u64, id: &str) -> Result<(RunId, ObjectId)> {
    Ok((RunId(run), id.parse()?))
}

/// What the ServerApp's object calls carry as their node.
pub(super) fn require_server_app(node: Option<proto::Node>) -> Result<()> {
    match NodeId::from(node) {
        NodeId::SUPERLINK => Ok(()),
        node => Err(Refusal::UnexpectedNode(node).into()),
    }
}

impl From<Pulled> for proto::PullObjectResponse {
    fn from(pulled: Pulled) -> Self {
        match pulled {
            Pulled::Unknown => Self::default(),
            Pulled::Awaited => Self {
                object_found: true,
                ..Self::default()
            },
            Pulled::There(object_content) => Self {
                object_found: true,
                object_available: true,
                object_content,
            },
        }
    }
}
