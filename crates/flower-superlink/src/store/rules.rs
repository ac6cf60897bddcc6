//! What is promised of object trees, runs and replies, whichever backend keeps them.

use std::borrow::Borrow;
use std::collections::HashMap;

use flwr_core::id::{NodeId, RunId};
use flwr_core::message::{Message, MessageId, Metadata};
use flwr_core::object::{ObjectId, ObjectTree};
use flwr_core::refusal::Refusal;
use flwr_core::run::Phase;
use flwr_core::time::Timestamp;

use crate::link::state::{Answer, Outlook};

/// Seconds that a reply's time to live may exceed what is left of its instruction's: clocks and
/// doubles are not exact (as Flower has it).
const TTL_TOLERANCE: f64 = 0.1;

/// Whether the tree says the same of each object wherever it stands, here and in the trees before:
/// `agrees` says whether these are the children of a known object. Without that a tree could grow out of
/// small ones beyond every bound.
pub(super) fn check_tree<E: From<Refusal>>(
    tree: &ObjectTree,
    mut agrees: impl FnMut(ObjectId, &[ObjectId]) -> Result<Option<bool>, E>,
) -> Result<(), E> {
    let mut told: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for tree in tree.post_order() {
        let children = tree.distinct_children();
        let known = agrees(tree.id, &children)?;
        let agrees = known.or_else(|| told.get(&tree.id).map(|told| *told == children));
        if agrees == Some(false) {
            return Err(Refusal::ObjectDiffers(tree.id).into());
        }
        told.insert(tree.id, children);
    }
    Ok(())
}

/// Whether a run may go on from one phase to the other.
pub(super) const fn admit_phase(run: RunId, from: Phase, to: Phase) -> Result<(), Refusal> {
    if from.may_become(to) {
        Ok(())
    } else {
        Err(Refusal::Transition { run, from, to })
    }
}

/// Whether a reply that may come is here already.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Already,
    NotYet,
}

/// Whether a reply may come to this instruction, whose first reply, whole or not, is given.
pub(super) fn admit_reply(
    instruction: &Metadata,
    first: Option<MessageId>,
    reply: &Metadata,
    now: Timestamp,
) -> Result<Stored, Refusal> {
    if instruction.dst != reply.src || instruction.expires_at() <= now {
        return Err(Refusal::UnknownInstruction(instruction.id));
    }
    match first {
        Some(first) if first == reply.id => return Ok(Stored::Already),
        Some(_) => return Err(Refusal::AlreadyAnswered(instruction.id)),
        None => {}
    }
    // A time to live that is no number has passed, too.
    let lives = reply.ttl > 0.0 && reply.expires_at() > now;
    if !lives {
        return Err(Refusal::ReplyExpired(instruction.id));
    }
    let excess = reply.expires_at().since(instruction.expires_at());
    if excess > TTL_TOLERANCE {
        return Err(Refusal::ReplyOutlivesInstruction { excess });
    }
    Ok(Stored::NotYet)
}

/// The whole reply of an instruction, or what there is to say in its place.
pub(super) fn answer<M: Borrow<Message>>(
    instruction: &Metadata,
    whole: Option<M>,
    now: Timestamp,
    outlook: impl Fn(NodeId) -> Option<Outlook>,
) -> Result<M, Answer> {
    let told = || Box::new(instruction.clone());
    if let Some(reply) = whole {
        let metadata = &reply.borrow().metadata;
        // The SuperLink's own word does not age.
        let is_old = metadata.src != NodeId::SUPERLINK && metadata.expires_at() < now;
        return if is_old {
            Err(Answer::ReplyExpired(told()))
        } else {
            Ok(reply)
        };
    }
    if instruction.expires_at() < now {
        return Err(Answer::Expired(told()));
    }
    Err(match outlook(instruction.dst) {
        Some(outlook) if outlook.until() >= now => Answer::Waiting {
            until: outlook.until().min(instruction.expires_at()),
        },
        Some(Outlook::There(_)) => Answer::NodeLost(told()),
        // Unregistered: it left for good.
        Some(Outlook::Left(_)) | None => Answer::NodeLeft(told()),
    })
}
